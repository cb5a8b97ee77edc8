#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include "base/str.h"
#include "runtime/words.h"
#include "runtime/seccomp-internal.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define CODE_MAX 4096u /* BPF_MAXINSNS */
#define TABLE_END 1024u /* beyond: x32, and the private calls of 32-bit arm */

static void context_freep(scmp_filter_ctx *ctx)
{
        if (*ctx)
                seccomp_release(*ctx);
}

/* ---- words of the profile ---- */

static const struct {
        const char *name;
        uint32_t action;
        bool takes_number;
} actions[] = {
        { "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false },
        { "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true },
        { "SCMP_ACT_KILL", SCMP_ACT_KILL, false },
        { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false },
        { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false },
        { "SCMP_ACT_TRAP", SCMP_ACT_TRAP, false },
        { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true },
        { "SCMP_ACT_LOG", SCMP_ACT_LOG, false },
        { "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY, false },
};

static const struct {
        const char *name;
        uint32_t flag;
} flags[] = {
        { "SECCOMP_FILTER_FLAG_TSYNC", 0 }, /* one thread: nothing to synchronise */
        { "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
        { "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
        { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

static const struct {
        const char *name;
        enum scmp_compare op;
} ops[] = {
        { "SCMP_CMP_NE", SCMP_CMP_NE },
        { "SCMP_CMP_LT", SCMP_CMP_LT },
        { "SCMP_CMP_LE", SCMP_CMP_LE },
        { "SCMP_CMP_EQ", SCMP_CMP_EQ },
        { "SCMP_CMP_GE", SCMP_CMP_GE },
        { "SCMP_CMP_GT", SCMP_CMP_GT },
        { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

#define SORTED_NAMES(table)                              \
        char **names = NULL;                             \
        for (size_t i = 0; i < ELEMENTS(table); i++)     \
                strv_push(&names, (table)[i].name);      \
        strv_sort(names);                                \
        return names

char **seccomp_action_names(void) { SORTED_NAMES(actions); }
char **seccomp_operator_names(void) { SORTED_NAMES(ops); }
char **seccomp_flag_names(void) { SORTED_NAMES(flags); }

static int action_parse(const char *name, bool has_errno, uint32_t number, uint32_t *ret, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(actions); i++) {
                if (!str_eq(name, actions[i].name))
                        continue;
                if (has_errno && !actions[i].takes_number)
                        return err_set(err, ERR_INVALID, "errnoRet: action %s takes none", name);
                if (number > 4095 && actions[i].takes_number)
                        return err_set(err, ERR_INVALID, "errnoRet %u is no error number", number);
                *ret = actions[i].action | (actions[i].takes_number ? (has_errno ? number : EPERM) : 0);
                return 0;
        }
        return err_set(err, ERR_INVALID, "unknown action \"%s\"", name ? name : "");
}

/* Architectures that the specification knows and the library may not: where it does not, no program of theirs runs here. */
static bool arch_is_younger(const char *name)
{
        static const char *const names[] = { "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB" };
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (str_eq(name, names[i]))
                        return true;
        return false;
}

/* 0: the library does not know it. */
static uint32_t arch_find(const char *name)
{
        char lower[32];
        const char *rest = str_after(name, "SCMP_ARCH_");
        if (!rest || strlen(rest) >= sizeof(lower))
                return 0;
        memcpy(lower, rest, strlen(rest) + 1);
        str_lower(lower);
        return str_eq(lower, "native") ? seccomp_arch_native() : seccomp_arch_resolve_name(lower);
}

static int arch_parse(const char *name, uint32_t *ret, struct err *err)
{
        uint32_t arch = arch_find(name);
        if (!arch)
                return err_set(err, ERR_INVALID, "unknown architecture \"%s\"", name);
        *ret = arch;
        return 0;
}

/* The library has no list of them to ask for. */
char **seccomp_arch_names(void)
{
        static const char *const known[] = { "AARCH64",     "ARM",    "LOONGARCH64", "M68K",       "MIPS", "MIPS64", "MIPS64N32", "MIPSEL",
                                             "MIPSEL64",    "MIPSEL64N32", "PARISC", "PARISC64",   "PPC",  "PPC64",  "PPC64LE",   "RISCV64",
                                             "S390",        "S390X",  "SH",          "SHEB",       "X32",  "X86",    "X86_64" };
        char **names = NULL;
        for (size_t i = 0; i < ELEMENTS(known); i++) {
                _cleanup_free_ char *name = xasprintf("SCMP_ARCH_%s", known[i]);
                if (arch_find(name))
                        strv_push(&names, name);
        }
        return names;
}

static int flags_parse(const struct oci_seccomp *p, uint32_t *ret, struct err *err)
{
        /* As runc: without a word about it, the costly mitigation stays off (the kernel's own default since 5.16). */
        uint32_t mask = p->flags ? 0 : SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        STRV_FOREACH (s, p->flags) {
                size_t i = 0;
                while (i < ELEMENTS(flags) && !str_eq(*s, flags[i].name))
                        i++;
                if (i == ELEMENTS(flags))
                        return err_set(err, ERR_INVALID, "unknown seccomp flag \"%s\"", *s);
                mask |= flags[i].flag;
        }
        *ret = mask;
        return 0;
}

static int comparison_parse(const struct oci_seccomp_arg *a, struct scmp_arg_cmp *ret, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(ops); i++) {
                if (!str_eq(a->op, ops[i].name))
                        continue;
                *ret = (struct scmp_arg_cmp){
                        .arg = a->index, .op = ops[i].op, .datum_a = a->value, .datum_b = a->value_two
                };
                return 0;
        }
        return err_set(err, ERR_INVALID, "unknown operator \"%s\"", a->op ? a->op : "");
}

/* ---- calls younger than the library: their numbers are the same on every architecture ---- */

static const struct young {
        const char *name;
        uint32_t number;
} young_calls[] = {
        { "futex_waitv", 449 },       { "set_mempolicy_home_node", 450 },
        { "cachestat", 451 },         { "fchmodat2", 452 },
        { "map_shadow_stack", 453 },  { "futex_wake", 454 },
        { "futex_wait", 455 },        { "futex_requeue", 456 },
        { "statmount", 457 },         { "listmount", 458 },
        { "lsm_get_self_attr", 459 }, { "lsm_set_self_attr", 460 },
        { "lsm_list_modules", 461 },  { "mseal", 462 },
        { "setxattrat", 463 },        { "getxattrat", 464 },
        { "listxattrat", 465 },       { "removexattrat", 466 },
        { "open_tree_attr", 467 },    { "file_getattr", 468 },
        { "file_setattr", 469 },      { "listns", 470 },
};

struct prologue {
        struct {
                uint32_t number, action;
        } rules[ELEMENTS(young_calls)];
        size_t count;
        uint32_t last; /* the youngest call the profile names */
};

static void prologue_add(struct prologue *p, const char *name, uint32_t action, bool has_args)
{
        for (size_t i = 0; i < ELEMENTS(young_calls) && !has_args; i++) {
                if (!str_eq(name, young_calls[i].name) || p->count >= ELEMENTS(p->rules))
                        continue;
                p->rules[p->count].number = young_calls[i].number;
                p->rules[p->count++].action = action;
                if (young_calls[i].number > p->last)
                        p->last = young_calls[i].number;
        }
}

/* ---- rules ---- */

static int rule_error(int code, const char *name, struct err *err)
{
        return err_sysnum(err, -code, "rule for %s", name);
}

/* Two conditions on one argument cannot be one rule: as runc, they become alternatives. */
static bool repeats_argument(const struct oci_seccomp_rule *r)
{
        unsigned seen = 0;
        for (size_t i = 0; i < r->arg_count; i++) {
                if (seen & 1u << r->args[i].index)
                        return true;
                seen |= 1u << r->args[i].index;
        }
        return false;
}

static int add_call(scmp_filter_ctx ctx, const struct oci_seccomp_rule *r, const char *name, int number,
                    uint32_t action, struct err *err)
{
        struct scmp_arg_cmp comparisons[6];
        if (r->arg_count > 6 && !repeats_argument(r))
                return err_set(err, ERR_INVALID, "more than six arguments");
        if (repeats_argument(r)) {
                for (size_t i = 0; i < r->arg_count; i++) {
                        if (comparison_parse(&r->args[i], &comparisons[0], err) < 0)
                                return -1;
                        int code = seccomp_rule_add_array(ctx, action, number, 1, comparisons);
                        if (code < 0 && code != -EEXIST)
                                return rule_error(code, name, err);
                }
                return 0;
        }
        for (size_t i = 0; i < r->arg_count; i++)
                if (comparison_parse(&r->args[i], &comparisons[i], err) < 0)
                        return -1;
        int code = seccomp_rule_add_array(ctx, action, number, (unsigned)r->arg_count, comparisons);
        return code < 0 && code != -EEXIST ? rule_error(code, name, err) : 0;
}

/* Whether the calls of a name need more than their number below TABLE_END to be answered. */
static bool needs_rest(scmp_filter_ctx ctx, const struct oci_seccomp *profile, bool joint_asks, const char *name)
{
        static const uint32_t joint[] = { SCMP_ARCH_X86, SCMP_ARCH_S390X, SCMP_ARCH_S390, SCMP_ARCH_PPC64LE };
        for (size_t i = 0; i < profile->rule_count; i++)
                if (profile->rules[i].arg_count && strv_has(profile->rules[i].names, name))
                        return true;
        if (seccomp_arch_exist(ctx, SCMP_ARCH_ARM) == 0 &&
            seccomp_syscall_resolve_name_arch(SCMP_ARCH_ARM, name) >= (int)TABLE_END)
                return true;
        if (!joint_asks)
                return false;
        for (size_t i = 0; i < ELEMENTS(joint); i++)
                if (seccomp_arch_exist(ctx, joint[i]) == 0 && seccomp_syscall_resolve_name_arch(joint[i], name) < 0)
                        return true;
        return str_eq(name, "socketcall") || str_eq(name, "ipc");
}

struct compilation {
        const struct oci_seccomp *profile;
        scmp_filter_ctx ctx;
        uint32_t default_action;
        struct prologue prologue;
        bool notify;
        bool rest_only; /* leave out what the tree answers */
        bool joint_asks; /* socketcall or ipc: which call goes through it only an argument tells */
};

static int add_rule(struct compilation *c, const struct oci_seccomp_rule *r, struct err *err)
{
        struct prologue *p = &c->prologue;
        uint32_t action = 0;
        if (action_parse(r->action, r->has_errno, r->errno_ret, &action, err) < 0)
                return -1;
        for (size_t i = 0; i < r->arg_count; i++)
                if (r->args[i].index > 5)
                        return err_set(err, ERR_INVALID, "system calls have arguments 0 to 5");
        if (action == SCMP_ACT_NOTIFY && strv_has(r->names, "sendmsg"))
                return err_set(err, ERR_INVALID, "SCMP_ACT_NOTIFY of sendmsg: the listener itself is sent with it");
        if (action == SCMP_ACT_NOTIFY && strv_has(r->names, "write"))
                return err_set(err, ERR_INVALID, "SCMP_ACT_NOTIFY cannot be used for the write syscall");
        if (action == SCMP_ACT_NOTIFY)
                c->notify = true;
        STRV_FOREACH (name, r->names) {
                int number = seccomp_syscall_resolve_name(*name);
                if (number == __NR_SCMP_ERROR)
                        prologue_add(p, *name, action, r->arg_count > 0);
                else if (number >= 0 && number < 0x10000 && (uint32_t)number > p->last)
                        p->last = (uint32_t)number;
                if (number == __NR_SCMP_ERROR || action == c->default_action ||
                    (c->rest_only && !needs_rest(c->ctx, c->profile, c->joint_asks, *name)))
                        continue;
                if (add_call(c->ctx, r, *name, number, action, err) < 0)
                        return -1;
        }
        return 0;
}

static int add_architectures(scmp_filter_ctx ctx, char *const *list, struct err *err)
{
        STRV_FOREACH (name, list) {
                uint32_t arch = 0;
                if (arch_parse(*name, &arch, err) < 0) {
                        if (!arch_is_younger(*name))
                                return -1;
                        err_clear(err);
                        continue;
                }
                int code = seccomp_arch_add(ctx, arch);
                if (code < 0 && code != -EEXIST)
                        return err_sysnum(err, -code, "architecture %s", *name);
        }
        return 0;
}

/* ---- the code ---- */

static void emit(struct seccomp_filter *f, struct sock_filter instruction)
{
        f->code[f->count++] = instruction;
}

/* Ahead of the library's code, for one architecture: the young calls the profile names, and ENOSYS for calls younger
 * than anything it names. A libc that tries a new call and is told EPERM gives up; told ENOSYS, it uses the older call. */
static void emit_prologue(struct seccomp_filter *f, const struct prologue *p, uint32_t arch, bool unknown_is_enosys)
{
        const uint32_t load = BPF_LD | BPF_W | BPF_ABS, equal = BPF_JMP | BPF_JEQ | BPF_K, give = BPF_RET | BPF_K;
        uint32_t body = 2 + 2 * (uint32_t)p->count + (unknown_is_enosys ? 2 : 0);
        emit(f, (struct sock_filter)BPF_STMT(load, offsetof(struct seccomp_data, arch)));
        emit(f, (struct sock_filter)BPF_JUMP(equal, arch, 1, 0));
        emit(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, body, 0, 0));
        emit(f, (struct sock_filter)BPF_STMT(load, offsetof(struct seccomp_data, nr)));
        emit(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, TABLE_END, (uint8_t)(body - 2), 0));
        for (size_t i = 0; i < p->count; i++) {
                emit(f, (struct sock_filter)BPF_JUMP(equal, p->rules[i].number, 0, 1));
                emit(f, (struct sock_filter)BPF_STMT(give, p->rules[i].action));
        }
        if (unknown_is_enosys) {
                emit(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, p->last, 0, 1));
                emit(f, (struct sock_filter)BPF_STMT(give, SECCOMP_RET_ERRNO | ENOSYS));
        }
}

/* Architectures that number new calls alike; the library's tokens for these are the kernel's AUDIT_ARCH values. */
static void emit_prologues(struct seccomp_filter *f, const struct prologue *p, scmp_filter_ctx ctx,
                           uint32_t default_action)
{
        static const uint32_t uniform[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86,  SCMP_ARCH_AARCH64, SCMP_ARCH_ARM,
                                            SCMP_ARCH_S390X,  SCMP_ARCH_S390, SCMP_ARCH_RISCV64, SCMP_ARCH_PPC64LE };
        bool refuses = default_action != SCMP_ACT_ALLOW && default_action != SCMP_ACT_LOG &&
                       default_action != SCMP_ACT_NOTIFY && (default_action & 0xffff0000u) != SCMP_ACT_TRACE(0) &&
                       default_action != SCMP_ACT_ERRNO(ENOSYS);
        if (!refuses && !p->count)
                return;
        for (size_t i = 0; i < ELEMENTS(uniform); i++)
                if (seccomp_arch_exist(ctx, uniform[i]) == 0)
                        emit_prologue(f, p, uniform[i], refuses);
}

/* Appends the library's code to what is there. */
static int export_code(scmp_filter_ctx ctx, struct seccomp_filter *f, struct err *err)
{
        _cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "memfd");
        int code = seccomp_export_bpf(ctx, fd);
        off_t size = code < 0 ? 0 : lseek(fd, 0, SEEK_END);
        if (code < 0 || size < 0)
                return err_sysnum(err, code < 0 ? -code : errno, "compile");
        uint32_t count = (uint32_t)((size_t)size / sizeof(struct sock_filter));
        if (count == 0 || f->count + count > CODE_MAX)
                return err_set(err, ERR_TOO_LARGE, "the filter has %u instructions, the kernel takes %u",
                               f->count + count, CODE_MAX);
        if (pread(fd, f->code + f->count, (size_t)size, 0) != size)
                return err_sys(err, "read the compiled filter");
        f->count += count;
        return 0;
}

static int compile(struct compilation *c, struct seccomp_filter *f, struct err *err)
{
        const struct oci_seccomp *profile = c->profile;
        if (action_parse(profile->default_action, profile->has_default_errno, profile->default_errno,
                         &c->default_action, err) < 0)
                return -1;
        if (c->default_action == SCMP_ACT_NOTIFY)
                return err_set(err, ERR_INVALID, "defaultAction: SCMP_ACT_NOTIFY would wait for an agent that is not yet there");
        c->ctx = seccomp_init(c->default_action);
        if (!c->ctx)
                return err_set(err, ERR_SYSTEM, "libseccomp takes no filter with default action %s",
                               profile->default_action);
        /* A foreign call gate is answered as an unlisted call is, not with a kill. */
        (void)seccomp_attr_set(c->ctx, SCMP_FLTATR_ACT_BADARCH,
                               c->default_action == SCMP_ACT_ALLOW ? SCMP_ACT_KILL_THREAD : c->default_action);
        (void)seccomp_attr_set(c->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree instead of a list */
        if (add_architectures(c->ctx, profile->architectures, err) < 0)
                return -1;
        for (size_t i = 0; i < profile->rule_count; i++)
                if (add_rule(c, &profile->rules[i], err) < 0)
                        return -1;
        f->code = xcalloc(CODE_MAX + 1, sizeof(*f->code));
        if (!c->rest_only)
                emit_prologues(f, &c->prologue, c->ctx, c->default_action);
        return export_code(c->ctx, f, err);
}

static void compilation_done(struct compilation *c)
{
        context_freep(&c->ctx);
}

static int reshape(const struct oci_seccomp *profile, scmp_filter_ctx full_ctx, struct seccomp_filter *f,
                   struct err *err)
{
        static const uint32_t kernel_arches[] = {
                SCMP_ARCH_X86_64, SCMP_ARCH_X86,  SCMP_ARCH_AARCH64, SCMP_ARCH_ARM,
                SCMP_ARCH_S390X,  SCMP_ARCH_S390, SCMP_ARCH_RISCV64, SCMP_ARCH_PPC64LE
        };
        _cleanup_(compilation_done) struct compilation c = { .profile = profile, .rest_only = true };
        _cleanup_seccomp_filter_ struct seccomp_filter rest = { 0 };
        uint32_t arches[ELEMENTS(kernel_arches)];
        size_t count = 0;
        for (size_t i = 0; i < ELEMENTS(kernel_arches); i++)
                if (seccomp_arch_exist(full_ctx, kernel_arches[i]) == 0)
                        arches[count++] = kernel_arches[i];
        for (size_t i = 0; i < count; i++)
                c.joint_asks = c.joint_asks || seccomp_tree_asks(f, arches[i], 102 /* socketcall */) ||
                               seccomp_tree_asks(f, arches[i], 117 /* ipc */);
        struct seccomp_filter tree = { 0 };
        if (compile(&c, &rest, err) < 0)
                return -1;
        if (count == 0 || !seccomp_tree_build(f, &rest, arches, count, &tree))
                return 0; /* as the library made it */
        free(f->code);
        f->code = tree.code;
        f->count = tree.count;
        return 0;
}

int seccomp_filter_compile(const struct oci_seccomp *profile, struct seccomp_filter *ret, struct err *err)
{
        _cleanup_seccomp_filter_ struct seccomp_filter f = { 0 };
        _cleanup_(compilation_done) struct compilation c = { .profile = profile };
        if (flags_parse(profile, &f.flags, err) < 0 || compile(&c, &f, err) < 0 || reshape(profile, c.ctx, &f, err) < 0)
                return err_add(err, "linux.seccomp");
        f.notify = c.notify;
        *ret = f;
        f.code = NULL;
        return 0;
}
