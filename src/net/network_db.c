#include <arpa/inet.h>
#include <string.h>
#include "base/digest.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "net/bridge-internal.h"
#include "net/driver-internal.h"
#include "net/subnet-internal.h"

#define PREDEFINED(name)                                                                                               \
        "INSERT INTO networks (id, name, driver, created, subnet, prefix, gateway, bridge, mtu, internal, isolated) "  \
        "VALUES "                                                                                                      \
        "(lower(hex(randomblob(32))), '" name "', '" name                                                              \
        "', CAST(strftime('%s') AS INTEGER) * 1000000000, 0, 0, 0, NULL, 0, 0, 0);"

/* Numbers instead of ids in the rows that are many. Labels and options are strings with their NULs, one behind the other. */
static const char *const steps[] = {
        "CREATE TABLE networks (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, driver "
        "TEXT NOT NULL,"
        " created INTEGER NOT NULL, subnet INTEGER NOT NULL, prefix INTEGER NOT NULL, gateway INTEGER NOT NULL, bridge "
        "TEXT UNIQUE,"
        " mtu INTEGER NOT NULL, internal INTEGER NOT NULL, isolated INTEGER NOT NULL, labels BLOB, options BLOB);"
        "CREATE TABLE network_blocks (network INTEGER NOT NULL REFERENCES networks (number) ON DELETE CASCADE, block "
        "INTEGER NOT NULL,"
        " cursor INTEGER NOT NULL, used INTEGER NOT NULL, capacity INTEGER NOT NULL, PRIMARY KEY (network, block)) "
        "WITHOUT ROWID;"
        "CREATE TABLE leases (network INTEGER NOT NULL REFERENCES networks (number), address INTEGER NOT NULL, "
        "container TEXT NOT NULL,"
        " slot INTEGER NOT NULL, PRIMARY KEY (network, address)) WITHOUT ROWID;"
        "CREATE UNIQUE INDEX leases_container ON leases (container, network);"
        "CREATE TABLE ports (protocol INTEGER NOT NULL, host_port INTEGER NOT NULL, host_address INTEGER NOT NULL, "
        "container TEXT NOT NULL,"
        " network INTEGER NOT NULL REFERENCES networks (number), container_port INTEGER NOT NULL,"
        " PRIMARY KEY (protocol, host_port, host_address)) WITHOUT ROWID;"
        "CREATE INDEX ports_container ON ports (container);" PREDEFINED("host") PREDEFINED("none"),
        NULL,
};

const struct db_schema net_schema = { .name = "net", .steps = steps };

#define COLUMNS "id, name, driver, created, subnet, prefix, gateway, bridge, mtu, internal, isolated, labels, options"

static char *const predefined_names[] = { (char *)"bridge", (char *)"host", (char *)"none", (char *)"default", NULL };

/* A vector as one blob, and back. */
static void *strings_pack(char *const *v, size_t *ret_len)
{
        size_t len = 0;
        STRV_FOREACH (s, v)
                len += strlen(*s) + 1;
        char *blob = xmalloc(len + 1), *end = blob;
        STRV_FOREACH (s, v)
                end = mempcpy(end, *s, strlen(*s) + 1);
        *ret_len = len;
        return blob;
}

static char **strings_unpack(const char *blob, size_t len)
{
        char **v = NULL;
        for (size_t at = 0; at < len && memchr(blob + at, 0, len - at); at += strlen(blob + at) + 1)
                strv_push(&v, blob + at);
        return v;
}

static void row_read(struct db_stmt *q, struct network *n)
{
        size_t len = 0;
        n->id = xstrdup(db_str(q, 0));
        n->name = xstrdup(db_str(q, 1));
        n->driver = xstrdup(db_str(q, 2));
        n->created = db_i64(q, 3);
        n->subnet = (struct ip4_net){ { htonl((uint32_t)db_i64(q, 4)) }, (uint8_t)db_i64(q, 5) };
        n->gateway.s_addr = htonl((uint32_t)db_i64(q, 6));
        snprintf(n->bridge, sizeof(n->bridge), "%s", db_str(q, 7) ? db_str(q, 7) : "");
        n->mtu = (uint32_t)db_i64(q, 8);
        n->internal = db_i64(q, 9);
        n->isolated_containers = db_i64(q, 10);
        const void *blob = db_blob(q, 11, &len);
        n->labels = strings_unpack(blob, len);
        blob = db_blob(q, 12, &len);
        n->options = strings_unpack(blob, len);
}

static int row_write(struct db *db, const struct network *n, struct err *err)
{
        size_t labels_len, options_len;
        _cleanup_free_ void *labels = strings_pack(n->labels, &labels_len),
                            *options = strings_pack(n->options, &options_len);
        return db_exec(db, NULL, err,
                       "INSERT INTO networks (" COLUMNS
                       ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                       "sssiiiisiiibb", n->id, n->name, n->driver, n->created, (int64_t)ntohl(n->subnet.address.s_addr),
                       (int64_t)n->subnet.prefix, (int64_t)ntohl(n->gateway.s_addr), n->bridge[0] ? n->bridge : NULL,
                       (int64_t)n->mtu, (int64_t)n->internal, (int64_t)n->isolated_containers, labels, labels_len,
                       options, options_len);
}

/* 1 found, 0 not, more than one: as many as there are, up to two. */
static int find_one(struct db *db, const char *sql, const char *key, struct network *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err, sql, "s", key) < 0)
                return -1;
        int row = db_step(q, err);
        if (row <= 0)
                return row;
        _cleanup_network_ struct network n = { 0 };
        row_read(q, &n);
        row = db_step(q, err);
        if (row != 0)
                return row < 0 ? -1 : 2;
        *ret = n;
        n = (struct network){ 0 };
        return 1;
}

int network_find(struct db *db, const char *name_or_id, struct network *ret, struct err *err)
{
        const char *name = str_eq(name_or_id, "default") ? "bridge" : name_or_id;
        int found = find_one(db, "SELECT " COLUMNS " FROM networks WHERE name = ?1", name, ret, err);
        if (found == 0)
                found = find_one(db, "SELECT " COLUMNS " FROM networks WHERE id = ?1", name, ret, err);
        /* A prefix of an id; only hexadecimal digits, so that nothing in it is a pattern. */
        if (found == 0 && str_only(name, "0123456789abcdef"))
                found = find_one(db, "SELECT " COLUMNS " FROM networks WHERE id GLOB ?1 || '*' LIMIT 2", name, ret,
                                 err);
        if (found == 0)
                return err_set(err, ERR_NOT_FOUND, "network %s not found", name_or_id);
        if (found == 2)
                return err_set(err, ERR_INVALID, "network %s is ambiguous (2 matches found based on ID prefix)",
                               name_or_id);
        return found < 0 ? -1 : 0;
}

int network_list(struct db *db, struct network **ret, size_t *ret_count, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err, "SELECT " COLUMNS " FROM networks ORDER BY number", "") < 0)
                return -1;
        struct network *list = NULL;
        size_t count = 0;
        int row;
        while ((row = db_step(q, err)) > 0) {
                list = xreallocarray(list, count + 1, sizeof(*list));
                row_read(q, &list[count++]);
        }
        if (row < 0) {
                for (size_t i = 0; i < count; i++)
                        network_done(&list[i]);
                free(list);
                return -1;
        }
        *ret = list;
        *ret_count = count;
        return 0;
}

static int name_check(const char *name, struct err *err)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
        if (str_empty(name) || strlen(name) > 255 || !str_only(name, allowed) || strchr("_.-", name[0]))
                return err_set(err, ERR_INVALID,
                               "invalid network name \"%s\": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                               name ? name : "");
        return 0;
}

/* Names the kernel takes for an interface, without those that mean something in paths of /proc/sys. */
static int bridge_name_check(const char *name, struct err *err)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
        if (strlen(name) >= IFNAMSIZ || !str_only(name, allowed) || str_eq(name, "all") || str_eq(name, "default") ||
            str_eq(name, "lo"))
                return err_set(err, ERR_INVALID, "invalid bridge name \"%s\"", name);
        return 0;
}

static int subnet_check(struct db *db, const struct ip4_net *s, struct err *err)
{
        _cleanup_free_ char *text = ip4_net_format(s), *other = NULL;
        uint32_t host = 0xffffffffu >> s->prefix;
        if (s->prefix < 8 || s->prefix > 30)
                return err_set(err, ERR_INVALID, "invalid subnet %s: the prefix must be from 8 to 30", text);
        if (ntohl(s->address.s_addr) & host)
                return err_set(err, ERR_INVALID, "invalid subnet %s: host bits are set", text);
        if (subnet_conflict(db, s, &other, err) < 0)
                return -1;
        return other ? err_set(err, ERR_DENIED,
                               "Pool overlaps with other one on this address space: %s is in network %s", text, other)
                     : 0;
}

static int addresses_fill(struct db *db, struct network *n, struct err *err)
{
        if (n->subnet.prefix == 0 && subnet_choose(db, &n->subnet, err) < 0)
                return -1;
        if (subnet_check(db, &n->subnet, err) < 0)
                return -1;
        if (n->gateway.s_addr == 0)
                n->gateway.s_addr = htonl(ntohl(n->subnet.address.s_addr) + 1);
        uint32_t offset = ntohl(n->gateway.s_addr) - ntohl(n->subnet.address.s_addr),
                 size = 1u << (32 - n->subnet.prefix);
        if (offset == 0 || offset >= size - 1)
                return err_set(err, ERR_INVALID, "no matching subnet for gateway");
        return 0;
}

/* An interface of that name which is not ours would be taken over, and deleted with the network. */
static int bridge_name_free(const char *name, struct err *err)
{
        struct link_state link;
        _cleanup_close_ int fd = nl_open(NETLINK_ROUTE, err);
        if (fd < 0)
                return -1;
        return link_look(fd, name, &link) ? err_set(err, ERR_CONFLICT, "interface %s exists already", name) : 0;
}

static int network_insert(struct db *db, const struct network *wanted, struct network *ret, struct err *err)
{
        _cleanup_network_ struct network n = *wanted;
        char id[65];
        random_hex(id, 64);
        n.id = xstrdup(str_empty(wanted->id) ? id : wanted->id);
        n.name = xstrdup(wanted->name);
        n.driver = xstrdup(str_empty(wanted->driver) ? "bridge" : wanted->driver);
        n.labels = strv_dup(wanted->labels);
        n.options = strv_dup(wanted->options);
        n.created = wanted->created ? wanted->created : time_now();
        const struct net_driver *d = net_driver_find(n.driver, err);
        if (!d)
                return -1;
        if (!d->has_addresses)
                return err_set(err, ERR_DENIED, "only one instance of \"%s\" network is allowed", n.driver);
        if (!n.bridge[0])
                snprintf(n.bridge, sizeof(n.bridge), BRIDGE_PREFIX "-%.10s", n.id);
        if (bridge_name_check(n.bridge, err) < 0 || addresses_fill(db, &n, err) < 0 || row_write(db, &n, err) < 0)
                return -1;
        *ret = n;
        n = (struct network){ 0 };
        return 0;
}

int network_create(struct db *db, const struct network *wanted, struct network *ret, struct err *err)
{
        if (name_check(wanted->name, err) < 0)
                return -1;
        if (strv_has(predefined_names, wanted->name))
                return err_set(err, ERR_DENIED, "operation is not permitted on predefined %s network", wanted->name);
        _cleanup_network_ struct network have = { 0 };
        int found = find_one(db, "SELECT " COLUMNS " FROM networks WHERE name = ?1", wanted->name, &have, err);
        if (found != 0)
                return found < 0 ? -1 : err_set(err, ERR_CONFLICT, "network with name %s already exists", wanted->name);
        if (wanted->bridge[0] &&
            (bridge_name_check(wanted->bridge, err) < 0 || bridge_name_free(wanted->bridge, err) < 0))
                return -1;
        return network_insert(db, wanted, ret, err);
}

int network_default(struct db *db, struct network *ret, struct err *err)
{
        int found = find_one(db, "SELECT " COLUMNS " FROM networks WHERE name = ?1", "bridge", ret, err);
        if (found != 0)
                return found < 0 ? -1 : 0;
        struct network wanted = { .name = (char *)"bridge", .driver = (char *)"bridge" };
        const char *name = getenv("TARE_BRIDGE");
        snprintf(wanted.bridge, sizeof(wanted.bridge), "%s", str_empty(name) ? BRIDGE_PREFIX "0" : name);
        return network_insert(db, &wanted, ret, err);
}

int network_remove(struct db *db, const struct network *n, struct err *err)
{
        if (strv_has(predefined_names, n->name))
                return err_set(err, ERR_DENIED, "%s is a pre-defined network and cannot be removed", n->name);
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err,
                     "SELECT count(*) FROM leases WHERE network = (SELECT number FROM networks WHERE id = ?1)", "s",
                     n->id) < 0 ||
            db_step(q, err) < 0)
                return -1;
        if (db_i64(q, 0) > 0)
                return err_set(err, ERR_CONFLICT, "error while removing network: network %s id %s has active endpoints",
                               n->name, n->id);
        const struct net_driver *d = net_driver_find(n->driver, err);
        int64_t changes = 0;
        if (!d || db_exec(db, &changes, err, "DELETE FROM networks WHERE id = ?1", "s", n->id) < 0)
                return -1;
        if (changes == 0)
                return err_set(err, ERR_NOT_FOUND, "network %s not found", n->name);
        /* Should the caller's commit fail, the next attach makes the bridge again. */
        return d->remove(n, err);
}
