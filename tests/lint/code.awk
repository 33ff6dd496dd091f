# Prints C as FILE:LINE:CODE with comments gone and strings emptied; "//" comments stay to be found.
# Comments that go over several lines, and quotes within comments, are minded.
function code(line,    out, c, two, i, n) {
    n = length(line)
    for (i = 1; i <= n; i++) {
        c = substr(line, i, 1)
        two = substr(line, i, 2)
        if (inside == "comment") {
            if (two == "*/") { inside = ""; i++ }
        } else if (inside != "") {
            if (c == "\\") i++
            else if (c == inside) { out = out c; inside = "" }
        } else if (two == "/*") {
            inside = "comment"; i++
        } else if (two == "//") {
            return out substr(line, i)
        } else {
            if (c == "\"" || c == "'") inside = c
            out = out c
        }
    }
    if (inside != "comment" && substr(line, n) != "\\") inside = ""
    return out
}
FNR == 1 { inside = "" }
{ line = code($0) } line ~ /[^ \t]/ { print FILENAME ":" FNR ":" line }
