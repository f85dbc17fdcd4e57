/* Listing 3 of the paper on WASI-SN (section 4.2.1), as it is printed but for what is not C: two
 * missing semicolons, the type `string`, and that `data` was never declared. The address stands
 * out in full.
 *
 * The listing is the paper's; SPDX-License-Identifier of all around it: Apache-2.0 */
#include <wasi_sn_network.h>

typedef const char *string;
static const char data[] = {'4', '5', '.', '1'};

/* clang-format off */
int main(){
    int KeepAlive = 30; // sec
    string ClientID = "WASM";
    string IP = "fdde:ad00:beef::1";
    int Port = 47193;
    start(1000);
    connect(ClientID, KeepAlive, IP, Port);
    int topicId = register("humidity");
    publish(topicId, 2, data);
    disconnect();
}
