/* Device rules on cgroup v2: a BPF_PROG_TYPE_CGROUP_DEVICE program, written instruction by instruction. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include "base/mem.h"
#include "runtime/cgroup-internal.h"

#define RULES_MAX 4096
#define PER_RULE 10
#define OLD_MAX 64

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
        return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

struct code {
        struct bpf_insn *list;
        size_t count;
};

static void code_done(struct code *c)
{
        free(c->list);
}

static void add(struct code *c, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
        c->list[c->count++] = (struct bpf_insn){ .code = op, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
}

/* r2: type, r3: access wanted, r4: major, r5: minor */
static void add_head(struct code *c)
{
        add(c, BPF_LDX | BPF_W | BPF_MEM, 2, 1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
        add(c, BPF_ALU | BPF_MOV | BPF_X, 3, 2, 0, 0);
        add(c, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
        add(c, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
        add(c, BPF_LDX | BPF_W | BPF_MEM, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
        add(c, BPF_LDX | BPF_W | BPF_MEM, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

static int access_mask(const char *access)
{
        int mask = 0;
        for (; *access; access++)
                mask |= *access == 'r'   ? BPF_DEVCG_ACC_READ
                        : *access == 'w' ? BPF_DEVCG_ACC_WRITE
                        : *access == 'm' ? BPF_DEVCG_ACC_MKNOD
                                         : 0;
        return mask ? mask : 7;
}

/* One rule: every condition that does not hold jumps past it. Returns true when it had no condition. */
static bool add_rule(struct code *c, const struct oci_device_rule *r)
{
        size_t start = c->count;
        int mask = access_mask(r->access);
        bool any = r->type == 'a' || !r->type;
        if (!any)
                add(c, BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0, r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        if (mask != 7) {
                /* What is allowed must cover the whole wish; what is denied need only touch it. */
                add(c, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
                add(c, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, r->allow ? 7 & ~mask : mask);
                add(c, BPF_JMP | (r->allow ? BPF_JNE : BPF_JEQ) | BPF_K, 1, 0, 0, 0);
        }
        if (r->major >= 0)
                add(c, BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int32_t)r->major);
        if (r->minor >= 0)
                add(c, BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int32_t)r->minor);
        bool unconditional = c->count == start;
        add(c, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, r->allow);
        add(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
        for (size_t i = start; i < c->count; i++)
                if (BPF_CLASS(c->list[i].code) == BPF_JMP && BPF_OP(c->list[i].code) != BPF_EXIT)
                        c->list[i].off = (int16_t)(c->count - i - 1);
        return unconditional;
}

/* The last rule that matches decides, so they are asked from the last to the first; without any match a device is allowed,
 * as in a new group of v1. Nothing may follow an unconditional rule: the verifier refuses what is never reached. */
static void compile(struct code *c, const struct oci_device_rule *rules, size_t count)
{
        bool ended = false;
        c->list = xcalloc(count * PER_RULE + 16, sizeof(*c->list));
        add_head(c);
        for (size_t i = count; i-- > 0 && !ended;)
                ended = add_rule(c, &rules[i]);
        if (ended)
                return;
        add(c, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
        add(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int load(const struct code *c, struct err *err)
{
        union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                                .insns = (uint64_t)(uintptr_t)c->list,
                                .insn_cnt = (uint32_t)c->count,
                                .license = (uint64_t)(uintptr_t) "Apache-2.0" };
        int fd = bpf(BPF_PROG_LOAD, &attr);
        return fd < 0 ? err_sys(err, "load the device filter") : fd;
}

/* Programs attached before, by an earlier update: they go once the new one is in place, so that no gap opens. */
static size_t find_old(int cgroup_fd, uint32_t ids[OLD_MAX])
{
        union bpf_attr attr = { .query = { .target_fd = (uint32_t)cgroup_fd,
                                           .attach_type = BPF_CGROUP_DEVICE,
                                           .prog_ids = (uint64_t)(uintptr_t)ids,
                                           .prog_cnt = OLD_MAX } };
        return bpf(BPF_PROG_QUERY, &attr) < 0 ? 0 : attr.query.prog_cnt;
}

static void detach(int cgroup_fd, uint32_t id)
{
        union bpf_attr get = { .prog_id = id };
        _cleanup_close_ int fd = bpf(BPF_PROG_GET_FD_BY_ID, &get);
        if (fd < 0)
                return;
        union bpf_attr attr = { .target_fd = (uint32_t)cgroup_fd,
                                .attach_bpf_fd = (uint32_t)fd,
                                .attach_type = BPF_CGROUP_DEVICE };
        (void)bpf(BPF_PROG_DETACH, &attr);
}

int device_filter_attach(int cgroup_fd, const struct oci_device_rule *rules, size_t count, struct err *err)
{
        _cleanup_(code_done) struct code code = { 0 };
        uint32_t old[OLD_MAX];
        if (count > RULES_MAX)
                return err_set(err, ERR_TOO_LARGE, "more than %d device rules", RULES_MAX);
        for (size_t i = 0; i < count; i++)
                if (rules[i].major > INT32_MAX || rules[i].minor > INT32_MAX)
                        return err_set(err, ERR_INVALID, "device rule with number out of range");
        compile(&code, rules, count);
        _cleanup_close_ int fd = load(&code, err);
        if (fd < 0)
                return -1;
        size_t old_count = find_old(cgroup_fd, old);
        union bpf_attr attr = { .target_fd = (uint32_t)cgroup_fd,
                                .attach_bpf_fd = (uint32_t)fd,
                                .attach_type = BPF_CGROUP_DEVICE,
                                .attach_flags = BPF_F_ALLOW_MULTI };
        if (bpf(BPF_PROG_ATTACH, &attr) < 0)
                return err_sys(err, "attach the device filter");
        for (size_t i = 0; i < old_count; i++)
                detach(cgroup_fd, old[i]);
        return 0;
}
