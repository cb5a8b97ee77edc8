#include "net/lease-internal.h"

#include <arpa/inet.h>
#include "base/str.h"
#include "net/driver-internal.h"

/* A subnet is leased out in blocks of BLOCK_ADDRESSES, lowest first, so that a network stays on one bridge as long as it can.
 * Inside a block a cursor goes round, so that an address rests before it comes again: peers may still hold the old one. */
struct block {
        int64_t number, cursor;
        uint32_t first, last; /* host order, usable addresses; the gateway may lie between */
};

static uint32_t subnet_first(const struct network *n)
{
        return ntohl(n->subnet.address.s_addr);
}
static uint32_t subnet_size(const struct network *n)
{
        return 1u << (32 - n->subnet.prefix);
}

static struct block block_bounds(const struct network *n, int64_t number)
{
        uint32_t start = subnet_first(n), size = subnet_size(n);
        struct block b = { .number = number };
        uint32_t from = (uint32_t)number * BLOCK_ADDRESSES, to = from + BLOCK_ADDRESSES - 1;
        /* The first address of a subnet is its name, the last its broadcast. */
        b.first = start + (from == 0 ? 1 : from);
        b.last = start + (to > size - 2 ? size - 2 : to);
        b.cursor = b.first - 1;
        return b;
}

static int block_open(struct db *db, const struct network *n, int64_t number, struct block *ret, struct err *err)
{
        struct block b = block_bounds(n, number);
        uint32_t gateway = ntohl(n->gateway.s_addr);
        int64_t capacity = (int64_t)b.last - b.first + 1 - (gateway >= b.first && gateway <= b.last);
        if (db_exec(db, NULL, err,
                    "INSERT INTO network_blocks (network, block, cursor, used, capacity) "
                    "VALUES ((SELECT number FROM networks WHERE id = ?1), ?2, ?3, 0, ?4) ON CONFLICT DO NOTHING",
                    "siii", n->id, number, b.cursor, capacity) < 0)
                return -1;
        *ret = b;
        return 0;
}

/* The lowest block with room, or a new one. */
static int block_choose(struct db *db, const struct network *n, struct block *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err,
                     "SELECT block, cursor FROM network_blocks WHERE network = (SELECT number FROM networks WHERE id = "
                     "?1) "
                     "AND used < capacity ORDER BY block LIMIT 1",
                     "s", n->id) < 0)
                return -1;
        int row = db_step(q, err);
        if (row < 0)
                return -1;
        if (row > 0) {
                struct block b = block_bounds(n, db_i64(q, 0));
                b.cursor = db_i64(q, 1);
                *ret = b;
                return 0;
        }
        /* The lowest that is not open: an address asked for by name may have opened a later one. */
        _cleanup_stmt_ struct db_stmt *next = NULL;
        if (db_query(db, &next, err,
                     "SELECT coalesce(min(a.block) + 1, 0) FROM network_blocks AS a WHERE network = (SELECT number "
                     "FROM networks WHERE id = ?1) "
                     "AND NOT EXISTS (SELECT 1 FROM network_blocks AS b WHERE b.network = a.network AND b.block = "
                     "a.block + 1)",
                     "s", n->id) < 0 ||
            db_step(next, err) < 0)
                return -1;
        int64_t number = db_i64(next, 0);
        if (number * BLOCK_ADDRESSES > (int64_t)subnet_size(n) - 2)
                return err_set(err, ERR_CONFLICT,
                               "no available IPv4 addresses on this network's address pools: %s (%s)", n->name, n->id);
        return block_open(db, n, number, ret, err);
}

/* First address in [from, to] without a lease, or 0: walks the run of leases that starts at `from`, a block at most. */
static int gap_find(struct db *db, const struct network *n, uint32_t from, uint32_t to, uint32_t *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *q = NULL;
        if (db_query(db, &q, err,
                     "SELECT address FROM leases WHERE network = (SELECT number FROM networks WHERE id = ?1) "
                     "AND address BETWEEN ?2 AND ?3 ORDER BY address",
                     "sii", n->id, (int64_t)from, (int64_t)to) < 0)
                return -1;
        uint32_t gateway = ntohl(n->gateway.s_addr);
        int64_t candidate = from + (from == gateway);
        int row;
        while ((row = db_step(q, err)) > 0 && db_i64(q, 0) == candidate) {
                candidate++;
                candidate += candidate == gateway;
        }
        if (row < 0)
                return -1;
        *ret = candidate <= to ? (uint32_t)candidate : 0;
        return 0;
}

static int address_next(struct db *db, const struct network *n, struct block *b, uint32_t *ret, struct err *err)
{
        uint32_t found = 0;
        if (b->cursor < b->last && gap_find(db, n, (uint32_t)b->cursor + 1, b->last, &found, err) < 0)
                return -1;
        if (!found && gap_find(db, n, b->first, b->last, &found, err) < 0)
                return -1;
        if (!found)
                return err_set(err, ERR_CORRUPT, "block %lld of network %s counts fewer leases than it has",
                               (long long)b->number, n->name);
        *ret = found;
        return 0;
}

static int lease_store(struct db *db, const struct network *n, const char *container, int64_t slot, int64_t block,
                       uint32_t address, bool move_cursor, struct err *err)
{
        if (db_exec(db, NULL, err,
                    "INSERT INTO leases (network, address, container, slot) VALUES ((SELECT number FROM networks WHERE "
                    "id = ?1), ?2, ?3, ?4)",
                    "sisi", n->id, (int64_t)address, container, slot) < 0)
                return -1;
        return db_exec(db, NULL, err,
                       "UPDATE network_blocks SET used = used + 1, cursor = CASE WHEN ?3 THEN ?4 ELSE cursor END "
                       "WHERE network = (SELECT number FROM networks WHERE id = ?1) AND block = ?2",
                       "siii", n->id, block, (int64_t)move_cursor, (int64_t)address);
}

static int address_wanted(struct db *db, const struct network *n, const char *container, int64_t slot,
                          struct in_addr wanted, struct err *err)
{
        char text[INET_ADDRSTRLEN];
        struct block b;
        uint32_t address = ntohl(wanted.s_addr), offset = address - subnet_first(n), found;
        inet_ntop(AF_INET, &wanted, text, sizeof(text));
        if (offset == 0 || offset > subnet_size(n) - 2)
                return err_set(err, ERR_INVALID, "invalid address %s: it does not belong to subnet of network %s", text,
                               n->name);
        if (gap_find(db, n, address, address, &found, err) < 0)
                return -1;
        if (!found)
                return err_set(err, ERR_CONFLICT, "Address already in use: %s", text);
        if (block_open(db, n, 0, &b, err) < 0 || block_open(db, n, offset / BLOCK_ADDRESSES, &b, err) < 0)
                return -1;
        return lease_store(db, n, container, slot, b.number, address, false, err);
}

int lease_address(struct db *db, const struct network *n, const char *container, int64_t slot, struct in_addr wanted,
                  struct in_addr *ret, struct err *err)
{
        if (wanted.s_addr) {
                if (address_wanted(db, n, container, slot, wanted, err) < 0)
                        return -1;
                *ret = wanted;
                return 0;
        }
        struct block b;
        uint32_t address = 0;
        if (block_choose(db, n, &b, err) < 0 || address_next(db, n, &b, &address, err) < 0 ||
            lease_store(db, n, container, slot, b.number, address, true, err) < 0)
                return -1;
        ret->s_addr = htonl(address);
        return 0;
}

static int release(struct db *db, const char *container, const char *network, struct err *err)
{
        if (db_exec(db, NULL, err,
                    "DELETE FROM ports WHERE container = ?1 AND (?2 IS NULL OR network = (SELECT number FROM networks "
                    "WHERE id = ?2))",
                    "ss", container, network) < 0)
                return -1;
        /* A container has a handful of leases, each in a block of its own. */
        if (db_exec(db, NULL, err,
                    "UPDATE network_blocks AS b SET used = used - 1 FROM leases AS l JOIN networks AS n ON n.number = "
                    "l.network "
                    "WHERE l.container = ?1 AND (?2 IS NULL OR n.id = ?2) AND b.network = l.network AND b.block = "
                    "(l.address - n.subnet) / ?3",
                    "ssi", container, network, (int64_t)BLOCK_ADDRESSES) < 0)
                return -1;
        return db_exec(db, NULL, err,
                       "DELETE FROM leases WHERE container = ?1 AND (?2 IS NULL OR network = (SELECT number FROM "
                       "networks WHERE id = ?2))",
                       "ss", container, network);
}

int network_release(struct db *db, const char *container, struct err *err)
{
        return release(db, container, NULL, err);
}

int network_release_from(struct db *db, const struct network *n, const char *container, struct err *err)
{
        return release(db, container, n->id, err);
}
