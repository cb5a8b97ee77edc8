/* Values as Go prints them, for history texts that other tools compare. Heap. */
#ifndef TARE_BUILD_GOTEXT_INTERNAL_H
#define TARE_BUILD_GOTEXT_INTERNAL_H

char *go_quote(const char *s); /* %q */
char *go_quote_list(char *const *v); /* ["a" "b"] */
char *go_list(char *const *v); /* [a b] */
char *go_duration(long long ns); /* 1m30s */

#endif
