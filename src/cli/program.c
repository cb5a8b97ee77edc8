#include <malloc.h>

#include "cli/command.h"

/* Most runs take less memory than this, in one step; giving it back before the end would only be work. */
#define HEAP_STEP (1 << 20)

int main(int argc, char **argv)
{
        mallopt(M_TOP_PAD, HEAP_STEP);
        mallopt(M_TRIM_THRESHOLD, 64 * HEAP_STEP);
        return cli_main(argc, argv, TARE_PROGRAM);
}
