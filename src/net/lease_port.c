#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include "base/file.h"
#include "base/str.h"
#include "net/lease-internal.h"

#define PORT_TRIES 4096

/* 1 when a lease stands against it: the same port on the same address, or on every address on either side. */
static int port_is_leased(struct db *db, const struct port_map *p, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err,
                     "SELECT 1 FROM ports WHERE protocol = ?1 AND host_port = ?2 AND (?3 = 0 OR host_address IN (0, "
                     "?3)) LIMIT 1",
                     "iii", (int64_t)p->protocol, (int64_t)p->host_port, (int64_t)ntohl(p->host_address.s_addr)) < 0)
                return -1;
        return db_step(q, err);
}

static int port_store(struct db *db, const struct network *n, const char *container, const struct port_map *p,
                      struct err *err)
{
        return db_exec(db, NULL, err,
                       "INSERT INTO ports (protocol, host_port, host_address, container, network, container_port) "
                       "VALUES (?1, ?2, ?3, ?4, (SELECT number FROM networks WHERE id = ?5), ?6)",
                       "iiissi", (int64_t)p->protocol, (int64_t)p->host_port, (int64_t)ntohl(p->host_address.s_addr),
                       container, n->id, (int64_t)p->container_port);
}

static int port_refuse(const struct port_map *p, struct err *err)
{
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &p->host_address, text, sizeof(text));
        return err_set(err, ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated", text, p->host_port);
}

/* ip(7): where the kernel takes ports from too, so that ours are outside what services are given. */
static void ephemeral_range(uint16_t *first, uint16_t *last)
{
        unsigned low, high;
        struct err ignored = ERR_INIT;
        _cleanup_free_ char *line = NULL;
        *first = 32768;
        *last = 60999;
        if (file_line_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_port_range", &line, &ignored) < 0 ||
            sscanf(line, "%u %u", &low, &high) != 2 || low == 0 || low > high || high > UINT16_MAX)
                return;
        *first = (uint16_t)low;
        *last = (uint16_t)high;
}

/* Tries count ports of [first, last] from a starting point on, round at the end. 1: found, 0: none free. */
static int port_search(struct db *db, struct port_map *p, uint16_t first, uint16_t last, unsigned start,
                       struct err *err)
{
        unsigned size = last - first + 1u, tries = size < PORT_TRIES ? size : PORT_TRIES;
        for (unsigned i = 0; i < tries; i++) {
                p->host_port = (uint16_t)(first + (start + i) % size);
                int leased = port_is_leased(db, p, err);
                if (leased < 0)
                        return -1;
                if (!leased && !port_is_taken(p))
                        return 1;
        }
        return 0;
}

static int port_choose(struct db *db, struct port_map *p, struct err *err)
{
        uint16_t first = p->host_port, last = p->host_port_end;
        uint32_t start = 0;
        /* A range the user named is used from its low end, as docker does; the ephemeral one from anywhere: probes rarely collide. */
        if (!last) {
                ephemeral_range(&first, &last);
                if (getrandom(&start, sizeof(start), 0) != sizeof(start))
                        return err_sys(err, "random number for a port");
                start %= last - first + 1u;
        }
        struct port_map tried = *p;
        int found = port_search(db, &tried, first, last, start, err);
        if (found < 0)
                return -1;
        if (found == 0)
                return p->host_port ? port_refuse(p, err) : err_set(err, ERR_CONFLICT, "all ports are allocated");
        p->host_port = tried.host_port;
        p->host_port_end = 0;
        return 0;
}

int lease_ports(struct db *db, const struct network *n, const char *container, struct port_map *ports, size_t count,
                struct err *err)
{
        /* Fixed ones first, or a chosen one could take a port that a later entry names. */
        for (int chosen = 0; chosen < 2; chosen++)
                for (size_t i = 0; i < count; i++) {
                        struct port_map *p = &ports[i];
                        bool choose = p->host_port == 0 || p->host_port_end;
                        if (choose != (chosen == 1))
                                continue;
                        if (choose && port_choose(db, p, err) < 0)
                                return -1;
                        int leased = choose ? 0 : port_is_leased(db, p, err);
                        if (leased != 0)
                                return leased < 0 ? -1 : port_refuse(p, err);
                        if (port_store(db, n, container, p, err) < 0)
                                return -1;
                }
        return 0;
}

int port_lease_leads(struct db *db, const struct port_map *p, struct in_addr address, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err,
                     "SELECT 1 FROM ports AS p JOIN leases AS l ON l.container = p.container AND l.network = p.network "
                     "WHERE p.protocol = ?1 AND p.host_port = ?2 AND p.host_address = ?3 AND p.container_port = ?4 AND "
                     "l.address = ?5",
                     "iiiii", (int64_t)p->protocol, (int64_t)p->host_port,
                     (int64_t)ntohl(p->host_address.s_addr), (int64_t)p->container_port,
                     (int64_t)ntohl(address.s_addr)) < 0)
                return -1;
        return db_step(q, err);
}
