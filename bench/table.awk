# A table of costs beside native's: awk -f table.awk -v names="..." [-v bases=N] [-v unit=...]
#                                       [-v digits=N] [-v markdown=1] [-v save=FILE] [-v ours=1]
#
# Reads "kernel cost..." with one cost for each name; the first `bases` of them (1) are native code.
# Prints costs and, for every engine, how many times native it is; at the end geometric means, to
# each base, and with ours=1 the first engine's cost over that of every other. FILE gets the same as it was read, under the names.
#
# SPDX-License-Identifier: Apache-2.0
function put(    i, line) {
    line = markdown ? "|" : ""
    for (i = 1; i <= n; i++)
        line = line (markdown ? " " cell[i] " |" : sprintf(i == 1 ? "%-20s" : "%15s", cell[i]))
    print line
    fflush()
}

BEGIN {
    engines = split(names, name, " ")
    if (!bases) bases = 1
    cell[n = 1] = "kernel"
    for (i = 1; i <= engines; i++) {
        cell[++n] = name[i] (unit ? " " unit : "")
        if (i > bases) cell[++n] = "x native"
    }
    put()
    for (i = 1; i <= n; i++) cell[i] = i == 1 ? "---" : "---:"
    if (markdown) put()
    if (save) print "kernel " names >save
}

{
    if (save) print >save
    cell[n = 1] = $1
    for (i = 1; i <= engines; i++) {
        cell[++n] = sprintf("%.*f", digits, $(i + 1))
        if (i <= bases) continue
        cell[++n] = sprintf("%.2f", $(i + 1) / $2)
        for (b = 1; b <= bases; b++) logs[b, i] += log($(i + 1) / $(b + 1))
    }
    put()
    rows++
}

END {
    if (!rows) exit
    for (b = 1; b <= bases; b++) {
        cell[n = 1] = "mean, x " name[b]
        for (i = 1; i <= engines; i++) {
            cell[++n] = ""
            if (i > bases) cell[++n] = sprintf("%.2f", exp(logs[b, i] / rows))
        }
        put()
    }
    if (engines == bases + 1 || !ours) exit
    cell[n = 1] = "mean, ours/theirs"
    for (i = 1; i <= engines; i++) {
        cell[++n] = ""
        if (i > bases)
            cell[++n] = i == bases + 1 ? "" : sprintf("%.2f", exp((logs[1, bases + 1] - logs[1, i]) / rows))
    }
    put()
}
