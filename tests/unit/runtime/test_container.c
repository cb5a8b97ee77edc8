#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/str.h"
#include "harness.h"

static void hostname_and_pid(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "hostname; echo $$; echo oops >&2; exit 7");
        str_replace(&b.spec.hostname, "weigh");
        box_expect(&b, 7);
        assert_string_equal(b.output, "weigh\n1\noops\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(hostname_and_pid) };
        return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
