/* The words of the spec that this room takes, out of the tables it takes them by (runtime-spec features.md). Each list is heap
 * (strv_free) and sorted. What it says does not depend on the kernel at hand, except that architectures are those of the
 * libseccomp that is linked. */
#ifndef TARE_RUNTIME_WORDS_H
#define TARE_RUNTIME_WORDS_H

char **mount_option_names(void);       /* of mounts; others go to the file system */
char **seccomp_action_names(void);     /* "SCMP_ACT_ALLOW" */
char **seccomp_operator_names(void);   /* "SCMP_CMP_EQ" */
char **seccomp_flag_names(void);       /* "SECCOMP_FILTER_FLAG_LOG" */
char **seccomp_arch_names(void);       /* "SCMP_ARCH_X86_64" */

#endif
