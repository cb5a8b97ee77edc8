#include <unistd.h>
#include "base/str.h"
#include "ociruntime/program-internal.h"
#include "runtime/cgroup.h"

bool program_is_rootless(const struct program *p)
{
        if (p && (str_eq(p->rootless, "true") || str_eq(p->rootless, "false")))
                return p->rootless[0] == 't';
        return geteuid() != 0 || cgroup_in_user_namespace();
}
