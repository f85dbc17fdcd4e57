/* The simulated Modbus transmitter, unit 1 at 9600 baud, on a Unix socket: the far end of a serial
 * line that an emulator has. -20.5 degrees, 54.6 %. Ends when the other side does.
 *
 *   transmitter SOCKET
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <sim/sim.h>

static uint64_t now_ns(void *ctx)
{
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int dial(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    if (s < 0 || strlen(path) >= sizeof to.sun_path)
        return -1;
    strcpy(to.sun_path, path);
    return connect(s, (const struct sockaddr *)&to, sizeof to) < 0 ? -1 : s;
}

int main(int argc, char **argv)
{
    struct sm_sim_clock clock = {.now_ns = now_ns};
    struct sm_sim_bus line;
    struct sm_sim_chip chip;
    struct sm_sim_chip_description what;
    struct sm_sim_wrong wrong;
    uint8_t bytes[64];
    ssize_t n = 1;
    int s = argc == 2 ? dial(argv[1]) : -1;
    sm_sim_bus_init(&line, "line", SM_BUS_SERIAL, &clock);
    line.speed = 9600;
    if (s < 0 || fcntl(s, F_SETFL, O_NONBLOCK) < 0 ||
        sm_sim_describe(&what, "MODBUS-TH@1 temperature=-20.5 humidity=54.6", &wrong) != 0 ||
        sm_sim_plug_described(&line, &chip, &what) != 0) {
        perror("transmitter");
        return 1;
    }
    while (n != 0) {
        n = read(s, bytes, sizeof bytes);
        if (n > 0)
            (void)line.bus.transfer.serial(&line, bytes, (uint32_t)n, NULL, 0);
        int got = line.bus.transfer.serial(&line, NULL, 0, bytes, sizeof bytes);
        if (got > 0 && write(s, bytes, (size_t)got) != got)
            break;
        usleep(1000);
    }
    return 0;
}
