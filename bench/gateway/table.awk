# Lines "gateway case figure value" of several rounds: a table of medians, a column a gateway.
# "relay" and "local" have no columns: what they took stands in rows of the first one.
# SPDX-License-Identifier: Apache-2.0
function median(key,    n, i, j, t, v) {
    n = split(values[key], v, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n ? v[int((n + 1) / 2)] : "-"
}
function ratio(gateway, figure_case, over, under,    a, b) {
    a = median(gateway SUBSEP figure_case SUBSEP over)
    b = median(gateway SUBSEP figure_case SUBSEP under)
    return a == "-" || b + 0 == 0 ? "-" : sprintf("%.2f", a / b)
}
# A line of the table, unless nothing in it was measured.
function put(label, cells,    i, line, any) {
    for (i = 1; i <= n_gateways; i++) {
        line = line " " cells[i] " |"
        any = any || cells[i] != "-"
    }
    if (any)
        print "| " label " |" line
}
function row(label, figure_case, figure, digits,    i, m, cells) {
    for (i = 1; i <= n_gateways; i++) {
        m = median(gateways[i] SUBSEP figure_case SUBSEP figure)
        cells[i] = m == "-" ? m : sprintf("%." digits "f", m)
    }
    put(label, cells)
}
function ratio_row(label, figure_case, over, under,    i, cells) {
    for (i = 1; i <= n_gateways; i++)
        cells[i] = ratio(gateways[i], figure_case, over, under)
    put(label, cells)
}
function own_row(label, who, over, under,    i, cells) {
    for (i = 1; i <= n_gateways; i++)
        cells[i] = i == 1 ? ratio(who, "latency", over, under) : "-"
    put(label, cells)
}
NF == 4 {
    if ($1 != "relay" && $1 != "local" && !($1 in seen)) { seen[$1] = 1; gateways[++n_gateways] = $1 }
    values[$1, $2, $3] = values[$1, $2, $3] " " $4
}
END {
    head = "| |"; rule = "|---|"
    for (i = 1; i <= n_gateways; i++) { head = head " " gateways[i] " |"; rule = rule "---|" }
    print head; print rule
    for (c = 90; c <= 900; c *= 10)
        for (q = 0; q <= 2; q++) {
            row(c " clients, QoS " q ": CPU, us a message", c, "qos" q "_cpu_us", 2)
            row(c " clients, QoS " q ": messages a second", c, "qos" q "_per_s", 0)
        }
    for (c = 90; c <= 900; c *= 10) {
        row(c " clients, QoS 2, 19 at once: CPU, us a message", "window" c, "qos2_cpu_us", 2)
        row(c " clients, QoS 2, 19 at once: messages a second", "window" c, "qos2_per_s", 0)
    }
    for (q = 0; q <= 1; q++) {
        row("to 90 clients, QoS " q ": CPU, us a message", "down", "down" q "_cpu_us", 2)
        row("to 90 clients, QoS " q ": messages a second", "down", "down" q "_per_s", 0)
    }
    row("90 kept sessions, QoS 2, stored: CPU, us a message", "kept", "qos2_cpu_us", 2)
    for (q = 0; q <= 2; q++) {
        row("latency between ordinary clients, QoS " q ", us", "ordinary", "through_qos" q "_us", 1)
        row("the same by plain MQTT: times", "ordinary", "times_qos" q, 2)
    }
    for (q = 0; q <= 2; q++) {
        row("latency of the lean generator, QoS " q ", us", "latency", "latency_qos" q "_us", 1)
        ratio_row("the same by plain MQTT: times", "latency", "latency_qos" q "_us", "plain_qos" q "_us")
        own_row("with a local socket to the broker: times", "local", "latency_qos" q "_us", "plain_qos" q "_us")
        own_row("a bare relay by plain MQTT: times", "relay", "latency_qos" q "_us", "plain_qos" q "_us")
    }
    row("three messages at once, the slowest of 20, us", "latency", "three_at_once_worst_us", 0)
    row("5,000 clients: connections a second", "5000", "connections_per_s", 0)
    row("5,000 clients: CPU, us a connection", "5000", "cpu_us_per_connection", 2)
    row("5,000 clients: octets a client", "5000", "bytes_per_client", 0)
    row("90 of 5,000 clients, QoS 1: CPU, us a message", "5000", "qos1_cpu_us", 2)
    row("1,000 clients with connections of their own: octets a client", "own", "bytes_per_client", 0)
    row("500 clients behind DTLS: octets a client", "dtls", "bytes_per_client", 0)
    row("500 clients behind DTLS: CPU, us a handshake", "dtls", "cpu_us_per_connection", 0)
    for (c = 50000; c <= 100000; c *= 2) {
        many = c / 1000 ",000 clients"
        row(many ": octets a client of the last 18,000", c, "bytes_per_client", 0)
        row(many ": memory, MB", c, "rss_mb", 1)
        row("90 of " many ", QoS 1: CPU, us a message", c, "qos1_cpu_us", 2)
    }
}
