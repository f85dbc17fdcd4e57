# Bars beside native, as SVG: awk -f plot.awk -v title=... -v base=N [-v skip=N] [-v label=...]
#                                            [-v single=1] [-v left=N] ROWS
#
# ROWS as bench/table.awk saves them: a line of names, then a line a kernel. The cost in column
# `base` (1 is the first after the name) is the unit; columns up to `skip` are not drawn. One group
# of bars a kernel, one colour an engine, and, but for single=1, a last group for the geometric means.
# Names of rows take `left` pixels (90); in names of columns and rows ~ stands for a space.
#
# SPDX-License-Identifier: Apache-2.0
function x(value) { return left + value * scale }

# A bar from zero, with its number behind it.
function bar(value, y, colour, bold) {
    printf "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", left, y, x(value > most ? most : value) - left, thick, colour
    printf "<text x=\"%.1f\" y=\"%.1f\" font-size=\"10\"%s>%s</text>\n", x(value > most ? most : value) + 4, y + thick / 2 + 3.5, bold ? " font-weight=\"bold\"" : "", sprintf("%.1f", value)
}

function words(text) { gsub("~", " ", text); return text }

function group(row, y, bold,    i) {
    printf "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\"%s>%s</text>\n", left - 8, y + bars * thick / 2 + 4, bold ? " font-weight=\"bold\"" : "", words(row)
    for (i = 1; i <= bars; i++)
        bar(times[row, i], y + (i - 1) * thick, colours[i], bold)
}

NR == 1 {
    bars = NF - 1 - skip
    for (i = 1; i <= bars; i++) series[i] = $(i + 1 + skip)
    next
}

{
    kernel[++kernels] = $1
    for (i = 1; i <= bars; i++) {
        times[$1, i] = $(i + 1 + skip) / $(base + 1)
        if (!single) logs[i] += log(times[$1, i])
        if (times[$1, i] > most) most = times[$1, i]
    }
}

END {
    split("#0b6e4f #e08e45 #5b8cc0 #9a9a9a #b04a5a", colours, " ")
    if (!single) {
        kernel[++kernels] = "geo. mean"
        for (i = 1; i <= bars; i++) times["geo. mean", i] = exp(logs[i] / (kernels - 1))
    }
    width = 760; top = 64
    if (!left) left = 90
    thick = 11; gap = 8
    scale = (width - left - 50) / most
    bottom = top + kernels * (bars * thick + gap) + 6
    height = bottom + 26

    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height, width, height
    printf "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", width, height
    printf "<text x=\"%d\" y=\"22\" font-size=\"15\" font-weight=\"bold\">%s<tspan font-size=\"12\" font-weight=\"normal\">: %s</tspan></text>\n", left, title, label
    at = left
    for (i = 1; i <= bars; i++) {
        printf "<rect x=\"%d\" y=\"36\" width=\"11\" height=\"11\" fill=\"%s\"/><text x=\"%d\" y=\"46\">%s</text>\n", at, colours[i], at + 16, words(series[i])
        at += 36 + 7.5 * length(series[i])
    }
    step = most > 60 ? 20 : most > 30 ? 10 : most > 12 ? 5 : most > 4 ? 2 : 0.5
    for (tick = 0; tick <= most; tick += step) {
        printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#dddddd\"/>\n", x(tick), top - 6, x(tick), bottom
        printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555555\" font-size=\"11\">%g</text>\n", x(tick), bottom + 14, tick
    }
    y = top
    for (k = 1; k <= kernels; k++) {
        group(kernel[k], y, !single && k == kernels)
        y += bars * thick + gap
    }
    print "</svg>"
}
