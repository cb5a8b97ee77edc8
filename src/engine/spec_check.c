#include "base/buf.h"
#include "engine/spec-internal.h"
#include "net/files.h"

/* Made as for a start and thrown away; most lists are empty, and then nothing is done. */
int spec_check(const struct container_config *c, struct err *err)
{
        _cleanup_oci_spec_ struct oci_spec spec;
        _cleanup_buf_ struct buf text = BUF_INIT((size_t)1 << 20);
        oci_spec_init(&spec);
        if (spec_add_resources(c, &spec, err) < 0 || spec_check_security(c, err) < 0 || spec_check_devices(c, err) < 0)
                return -1;
        if (c->extra_hosts && hosts_format("check", NULL, NULL, c->extra_hosts, "127.0.0.1", &text, err) < 0)
                return -1;
        return c->dns ? resolv_format("", c->dns, c->dns_search, c->dns_options, false, &text, err) : 0;
}
