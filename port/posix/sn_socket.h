/* Addresses between links and sockets. Sockets are IPv6, and take IPv4 as mapped addresses.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_SN_SOCKET_H
#define SM_POSIX_SN_SOCKET_H

#include <netinet/in.h>
#include <posix/sn_link.h>

void sm_sn_from_socket(const struct sockaddr_storage *in, struct sm_mqttsn_address *out);

/* scope is the interface for link-local addresses that do not say one. false: no address. */
bool sm_sn_to_socket(const struct sm_mqttsn_address *in, uint32_t scope, struct sockaddr_in6 *out);

#endif
