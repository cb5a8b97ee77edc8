#include "base/signame.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

int signal_number(const char *name)
{
        const char *bare = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
        for (int i = 1; i < NSIG; i++)
                if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), bare) == 0)
                        return i;
        return 0;
}
