/* docker inspect's document: what a bare container shows, what every option becomes, what running adds. */
#include "fixture.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "base/json.h"
#include "engine/inspect-internal.h"

/* The value at "A.B.0.C" as compact text; "absent" when there is none. */
static const char *at(const json_t *document, const char *path)
{
        static char *text;
        const json_t *j = document;
        _cleanup_strv_ char **keys = strv_split(path, " ", false);
        STRV_FOREACH (key, keys)
                j = json_is_array(j) ? json_array_get(j, (size_t)strtoul(*key, NULL, 10)) : json_object_get(j, *key);
        free(text);
        text = j ? json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT) : xstrdup("absent");
        return text;
}
#define SHOWS(document, path, expected)                                                                                \
        do {                                                                                                           \
                if (!str_eq(at(document, path), expected))                                                             \
                        fail_msg("%s: %s, expected %s", path, at(document, path), expected);                           \
        } while (0)

static json_t *inspect(struct fixture *f, const char *name, bool size)
{
        json_t *o = NULL;
        OK(container_inspect(f->e, name, size, &o, &err));
        return o;
}

static void test_bare(void **state)
{
        struct fixture *f = *state;
        row_plain(f, 'a', "bare");
        _cleanup_json_ json_t *o = inspect(f, "bare", false);
        SHOWS(o, "Id", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"");
        SHOWS(o, "Name", "\"/bare\"");
        SHOWS(o, "Path", "\"true\"");
        SHOWS(o, "Args", "[]");
        SHOWS(o, "State Status", "\"created\"");
        SHOWS(o, "State Running", "false");
        SHOWS(o, "State StartedAt", "\"0001-01-01T00:00:00Z\"");
        SHOWS(o, "RestartCount", "0");
        SHOWS(o, "Driver", "\"vfs\"");
        SHOWS(o, "Platform", "\"linux\"");
        SHOWS(o, "ResolvConfPath", "\"\"");
        SHOWS(o, "ExecIDs", "null");
        SHOWS(o, "Mounts", "[]");
        SHOWS(o, "SizeRw", "absent");
        SHOWS(o, "Config Hostname", "\"aaaaaaaaaaaa\"");
        SHOWS(o, "Config Cmd", "[\"true\"]");
        SHOWS(o, "Config Entrypoint", "null");
        SHOWS(o, "Config Volumes", "null");
        SHOWS(o, "Config Labels", "{}");
        SHOWS(o, "Config ExposedPorts", "absent");
        SHOWS(o, "Config StopTimeout", "absent");
        SHOWS(o, "NetworkSettings Ports", "{}");
        SHOWS(o, "NetworkSettings IPAddress", "\"\"");
        SHOWS(o, "NetworkSettings Networks bridge IPAMConfig", "null");
        _cleanup_json_ json_t *sized = inspect(f, "aaaa", true);
        SHOWS(sized, "SizeRw", "0");
        SHOWS(sized, "SizeRootFs", "0");
}

static void test_bare_host(void **state)
{
        struct fixture *f = *state;
        row_plain(f, 'a', "bare");
        _cleanup_json_ json_t *o = inspect(f, "bare", false);
        static const char *const rows[][2] = {
                { "Binds", "null" },          { "LogConfig", "{\"Type\":\"json-file\",\"Config\":{}}" },
                { "NetworkMode", "\"bridge\"" }, { "PortBindings", "{}" },
                { "RestartPolicy", "{\"Name\":\"no\",\"MaximumRetryCount\":0}" },
                { "CapAdd", "null" },         { "Dns", "[]" },
                { "ExtraHosts", "null" },     { "IpcMode", "\"private\"" },
                { "ShmSize", "67108864" },    { "Memory", "0" },
                { "MemorySwap", "0" },        { "MemorySwappiness", "null" },
                { "PidsLimit", "null" },      { "Ulimits", "[]" },
                { "Devices", "[]" },          { "Init", "absent" },
                { "Tmpfs", "absent" },        { "Mounts", "absent" },
                { "Sysctls", "absent" },      { "BlkioDeviceReadBps", "[]" },
        };
        json_t *host = json_object_get(o, "HostConfig");
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                SHOWS(host, rows[i][0], rows[i][1]);
        assert_true(json_array_size(json_object_get(host, "MaskedPaths")) > 5);
        assert_true(json_array_size(json_object_get(host, "ReadonlyPaths")) > 3);
}

static void limits_set(struct container_config *c)
{
        c->memory = 64 << 20;
        c->nano_cpus = 1500000000;
        c->pids_limit = 7;
        c->memory_swappiness = 0;
        c->init = true;
        strv_push(&c->ulimits, "nofile=1024:2048");
        strv_push(&c->ulimits, "core=unlimited");
        strv_push(&c->devices, "/dev/null");
        strv_push(&c->devices, "/dev/zero:/dev/z:r");
        strv_push(&c->devices, "/dev/full:rw");
        strv_push(&c->device_read_bps, "/dev/sda:1mb");
        strv_push(&c->cap_add, "NET_ADMIN");
        strv_push(&c->sysctls, "net.core.somaxconn=10");
        c->restart_policy = xstrdup("on-failure:3");
}

static void test_limits(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('b', c.id);
        limits_set(&c.config);
        row_put(f, &c, "limits");
        _cleanup_json_ json_t *o = inspect(f, "limits", false);
        json_t *host = json_object_get(o, "HostConfig");
        SHOWS(host, "Memory", "67108864");
        SHOWS(host, "MemorySwap", "134217728");
        SHOWS(host, "MemorySwappiness", "0");
        SHOWS(host, "NanoCpus", "1500000000");
        SHOWS(host, "PidsLimit", "7");
        SHOWS(host, "Init", "true");
        SHOWS(host, "Ulimits", "[{\"Name\":\"nofile\",\"Hard\":2048,\"Soft\":1024},{\"Name\":\"core\",\"Hard\":-1,\"Soft\":-1}]");
        SHOWS(host, "Devices 0", "{\"PathOnHost\":\"/dev/null\",\"PathInContainer\":\"/dev/null\",\"CgroupPermissions\":\"rwm\"}");
        SHOWS(host, "Devices 1", "{\"PathOnHost\":\"/dev/zero\",\"PathInContainer\":\"/dev/z\",\"CgroupPermissions\":\"r\"}");
        SHOWS(host, "Devices 2", "{\"PathOnHost\":\"/dev/full\",\"PathInContainer\":\"/dev/full\",\"CgroupPermissions\":\"rw\"}");
        SHOWS(host, "BlkioDeviceReadBps", "[{\"Path\":\"/dev/sda\",\"Rate\":1048576}]");
        SHOWS(host, "CapAdd", "[\"NET_ADMIN\"]");
        SHOWS(host, "Sysctls", "{\"net.core.somaxconn\":\"10\"}");
        SHOWS(host, "RestartPolicy", "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}");
}

static void mounts_set(struct fixture *f, struct container *c)
{
        struct container_config *k = &c->config;
        OK(mount_request_parse_volume("/host:/in:ro", &k->mounts, &k->mount_count, &err));
        OK(mount_request_parse_volume("data:/data", &k->mounts, &k->mount_count, &err));
        OK(mount_request_parse_volume("/anon", &k->mounts, &k->mount_count, &err));
        OK(mount_request_parse_mount("type=bind,src=/etc,dst=/other,bind-propagation=rslave", &k->mounts, &k->mount_count, &err));
        OK(mount_request_parse_tmpfs("/tmp:size=1m", &k->mounts, &k->mount_count, &err));
        OK(db_begin(engine_db(f->e), false, &err));
        OK(volumes_claim(f->e, c, &err));
        OK(db_commit(engine_db(f->e), &err));
}

static void test_mounts(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('c', c.id);
        mounts_set(f, &c);
        row_put(f, &c, "mounts");
        _cleanup_json_ json_t *o = inspect(f, "mounts", false);
        SHOWS(o, "HostConfig Binds", "[\"/host:/in:ro\",\"data:/data\"]");
        SHOWS(o, "HostConfig Mounts", "[{\"Type\":\"bind\",\"Source\":\"/etc\",\"Target\":\"/other\",\"BindOptions\":{\"Propagation\":\"rslave\"}}]");
        SHOWS(o, "HostConfig Tmpfs", "{\"/tmp\":\"size=1m\"}");
        SHOWS(o, "Config Volumes", "{\"/anon\":{}}");
        assert_int_equal(json_array_size(json_object_get(o, "Mounts")), 4);
        SHOWS(o, "Mounts 0 RW", "false");
        SHOWS(o, "Mounts 0 Propagation", "\"rprivate\"");
        SHOWS(o, "Mounts 1 Name", "\"data\"");
        SHOWS(o, "Mounts 1 Driver", "\"local\"");
        SHOWS(o, "Mounts 1 Mode", "\"z\"");
        SHOWS(o, "Mounts 2 Mode", "\"\"");
        SHOWS(o, "Mounts 3 Propagation", "\"rslave\"");
}

static void endpoint_set(struct container *c)
{
        struct endpoint *e = &c->endpoint;
        memcpy(e->container, c->id, sizeof(e->container));
        snprintf(e->interface, sizeof(e->interface), "eth0");
        inet_pton(AF_INET, "172.20.0.5", &e->address);
        inet_pton(AF_INET, "172.20.0.1", &e->gateway);
        e->prefix = 16;
        memcpy(e->mac, "\x02\x42\xac\x14\x00\x05", 6);
        e->ports = xcalloc(2, sizeof(*e->ports));
        e->ports[0] = (struct port_map){ .host_port = 8080, .container_port = 80 };
        e->ports[1] = (struct port_map){ .host_port = 8081, .container_port = 80 };
        e->port_count = 2;
}

static void test_running(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('d', c.id);
        endpoint_set(&c);
        strv_push(&c.config.ports, "8080-8081:80");
        strv_push(&c.config.exposed_ports, "80/tcp");
        strv_push(&c.config.exposed_ports, "90/udp");
        row_put(f, &c, "runs");
        _cleanup_close_ int lock = running_make(f, &c, 1234);
        _cleanup_json_ json_t *o = inspect(f, "runs", false);
        SHOWS(o, "State Status", "\"running\"");
        SHOWS(o, "State Pid", "1234");
        SHOWS(o, "NetworkSettings IPAddress", "\"172.20.0.5\"");
        SHOWS(o, "NetworkSettings IPPrefixLen", "16");
        SHOWS(o, "NetworkSettings SandboxKey", "\"/proc/1234/ns/net\"");
        SHOWS(o, "NetworkSettings Networks bridge Gateway", "\"172.20.0.1\"");
        SHOWS(o, "NetworkSettings Networks bridge MacAddress", "\"02:42:ac:14:00:05\"");
        SHOWS(o, "NetworkSettings Ports 90/udp", "null");
        SHOWS(o, "NetworkSettings Ports 80/tcp",
              "[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"},{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8081\"}]");
        assert_true(str_ends(json_string_value(json_object_get(o, "HostsPath")), "/hosts"));
}

static void test_port_bindings(void **state)
{
        struct fixture *f = *state;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        id_of('e', c.id);
        strv_push(&c.config.ports, "127.0.0.1:53:53/udp");
        strv_push(&c.config.ports, "80");
        c.config.network_mode = xstrdup("container:other");
        row_put(f, &c, "ports");
        _cleanup_json_ json_t *o = inspect(f, "ports", false);
        SHOWS(o, "HostConfig PortBindings 53/udp", "[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"53\"}]");
        SHOWS(o, "HostConfig PortBindings 80/tcp", "[{\"HostIp\":\"\",\"HostPort\":\"\"}]");
        SHOWS(o, "NetworkSettings Networks", "{}");
        json_t *none = NULL;
        FAILS(container_inspect(f->e, "nobody", false, &none, &err), ERR_NOT_FOUND, "No such container: nobody");
        assert_null(none);
}

/* A mapping of bytes that are no UTF-8 must not take a field away. */
static void test_odd_bytes(void **state)
{
        struct fixture *f = *state;
        row_plain(f, 'f', "odd");
        struct container_status status = { .state = STATE_EXITED, .exit_code = 127 };
        char id[65];
        id_of('f', id);
        snprintf(status.error, sizeof(status.error), "exec: \xff\xfe: not found");
        OK(container_row_finish(f->e, id, &status, &err));
        _cleanup_json_ json_t *o = inspect(f, "odd", false);
        SHOWS(o, "State ExitCode", "127");
        SHOWS(o, "State Error", "\"exec: \xef\xbf\xbd\xef\xbf\xbd: not found\"");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        const struct CMUnitTest tests[] = { T(test_bare),    T(test_bare_host),     T(test_limits),   T(test_mounts),
                                            T(test_running), T(test_port_bindings), T(test_odd_bytes) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
