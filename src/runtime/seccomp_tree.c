/* A second shape for a compiled filter, because attaching one costs every container's start.
 *
 * When a filter is attached, the kernel runs it once for every system call number of every architecture, to learn which are
 * always allowed. The library's code is a search over all rules with the argument checks in between; here most numbers have
 * an answer that depends on nothing else, so neighbours with one answer become a range, and the ranges a balanced tree of
 * comparisons: some hundred instructions, seven steps deep. What the arguments decide goes on into `rest`, the library's own
 * code for just those calls.
 *
 * The tree is not derived from the rules a second time but from the full code, by running it: so it cannot say anything else. */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include "runtime/seccomp-internal.h"

#define NUMBERS 1024u /* of one table; real ones end below 500 */
#define X32_BIT 0x40000000u
#define ASK_REST 0xffffffffu /* no SECCOMP_RET value */
#define STEPS_MAX 10000
#define CODE_MAX 4096u
#define CONDITIONAL_MAX 255u

/* Runs the code for a call of which only number and architecture are known; ASK_REST when it wants to know more. */
static uint32_t emulate(const struct seccomp_filter *f, uint32_t arch, uint32_t number)
{
        uint32_t a = 0, steps = 0;
        for (uint32_t pc = 0; pc < f->count && steps < STEPS_MAX; pc++, steps++) {
                const struct sock_filter *i = &f->code[pc];
                bool yes;
                switch (i->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        if (i->k != offsetof(struct seccomp_data, nr) && i->k != offsetof(struct seccomp_data, arch))
                                return ASK_REST;
                        a = i->k == offsetof(struct seccomp_data, nr) ? number : arch;
                        continue;
                case BPF_RET | BPF_K:
                        return i->k;
                case BPF_JMP | BPF_JA:
                        pc += i->k;
                        continue;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        yes = a == i->k;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        yes = a >= i->k;
                        break;
                case BPF_JMP | BPF_JGT | BPF_K:
                        yes = a > i->k;
                        break;
                case BPF_JMP | BPF_JSET | BPF_K:
                        yes = (a & i->k) != 0;
                        break;
                case BPF_ALU | BPF_AND | BPF_K:
                        a &= i->k;
                        continue;
                default:
                        return ASK_REST;
                }
                pc += yes ? i->jt : i->jf;
        }
        return ASK_REST;
}

bool seccomp_tree_asks(const struct seccomp_filter *full, uint32_t arch, uint32_t number)
{
        return emulate(full, arch, number) == ASK_REST;
}

struct range {
        uint32_t first, action;
}; /* up to the next one's first */
struct ranges {
        struct range list[2 * NUMBERS + 4];
        size_t count;
};

static void ranges_add(struct ranges *r, uint32_t first, uint32_t action)
{
        if (r->count == 0 || r->list[r->count - 1].action != action)
                r->list[r->count++] = (struct range){ first, action };
}

static void find_ranges(const struct seccomp_filter *full, uint32_t arch, struct ranges *r)
{
        r->count = 0;
        for (uint32_t n = 0; n < NUMBERS; n++)
                ranges_add(r, n, emulate(full, arch, n));
        ranges_add(r, NUMBERS, ASK_REST);
        if (arch != AUDIT_ARCH_X86_64)
                return;
        for (uint32_t n = 0; n < NUMBERS; n++)
                ranges_add(r, X32_BIT | n, emulate(full, arch, X32_BIT | n));
        ranges_add(r, X32_BIT | NUMBERS, ASK_REST);
}

/* Instructions of a tree over count ranges: a leaf is one, a node one, or two where its left side is long. */
static uint32_t tree_size(size_t count)
{
        if (count == 1)
                return 1;
        uint32_t left = tree_size(count / 2);
        return (left > CONDITIONAL_MAX ? 2 : 1) + left + tree_size(count - count / 2);
}

/* at: where it begins; end: where `rest` begins. */
static uint32_t emit_tree(struct sock_filter *code, uint32_t at, uint32_t end, const struct range *list, size_t count)
{
        if (count == 1) {
                code[at] = list->action == ASK_REST ? (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, end - at - 1)
                                                    : (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, list->action);
                return at + 1;
        }
        size_t half = count / 2;
        uint32_t left = tree_size(half), compare = BPF_JMP | BPF_JGE | BPF_K;
        if (left > CONDITIONAL_MAX) {
                code[at++] = (struct sock_filter)BPF_JUMP(compare, list[half].first, 0, 1);
                code[at++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, left);
        } else {
                code[at++] = (struct sock_filter)BPF_JUMP(compare, list[half].first, (uint8_t)left, 0);
        }
        at = emit_tree(code, at, end, list, half);
        return emit_tree(code, at, end, list + half, count - half);
}

/* Per architecture: compare, jump over, load the number, tree. */
#define BLOCK_HEAD 3u

static uint32_t total_size(const struct seccomp_filter *full, const uint32_t *arches, size_t count,
                           struct ranges *scratch)
{
        uint32_t size = 1;
        for (size_t i = 0; i < count; i++) {
                find_ranges(full, arches[i], scratch);
                size += BLOCK_HEAD + tree_size(scratch->count);
        }
        return size;
}

bool seccomp_tree_build(const struct seccomp_filter *full, const struct seccomp_filter *rest, const uint32_t *arches,
                        size_t arch_count, struct seccomp_filter *ret)
{
        _cleanup_free_ struct ranges *r = xcalloc(1, sizeof(*r));
        uint32_t end = total_size(full, arches, arch_count, r), at = 0;
        if (end + rest->count > CODE_MAX)
                return false;
        struct sock_filter *code = xcalloc(end + rest->count, sizeof(*code));
        code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
        for (size_t i = 0; i < arch_count; i++) {
                find_ranges(full, arches[i], r);
                code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arches[i], 1, 0);
                code[at++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1 + tree_size(r->count));
                code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
                at = emit_tree(code, at, end, r->list, r->count);
        }
        memcpy(code + end, rest->code, rest->count * sizeof(*code));
        ret->code = code;
        ret->count = end + rest->count;
        return true;
}
