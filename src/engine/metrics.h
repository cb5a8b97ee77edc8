/* A collector's pass in the Prometheus text format (exposition format 0.0.4). Numbers of a run have cAdvisor's names and labels, those added up
 * over all runs begin with tare_. */
#ifndef TARE_ENGINE_METRICS_H
#define TARE_ENGINE_METRICS_H

#include "base/buf.h"
#include "engine/stats.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_MAX ((size_t)256 << 20) /* of the buffer given; 1,000 containers are 6 MB */

/* Collects and writes. The collector has been opened with `all` and `metering`. */
int metrics_collect(struct stats_collector *c, struct buf *out, struct err *err);
/* For a sample: the text of any number of them. */
int metrics_format(const struct stats_sample *s, size_t count, struct buf *out, struct err *err);

#endif
