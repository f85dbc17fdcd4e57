/* What another process costs, read from /proc.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_GATEWAY_PROCESS_H
#define BENCH_GATEWAY_PROCESS_H

/* CPU time of all its threads, as the scheduler counted it, which is finer than a tick. Ends this
 * process when the other is gone. */
double process_cpu_us(int pid);

/* Memory that it holds. */
double process_rss_bytes(int pid);

#endif
