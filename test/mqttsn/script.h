/* Conversations in text files, told to a client: see script.c for the language.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_MQTTSN_SCRIPT_H
#define TEST_MQTTSN_SCRIPT_H

/* Run a file. 0, or 1 after saying on stderr in which line it failed and why. */
int script_run(const char *path);

#endif
