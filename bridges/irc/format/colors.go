package format

import (
	"fmt"
	"strconv"
	"strings"
)

// colors are the 99 colours by number. 0 to 15 differ between clients; these are
// the most common values. 16 to 98 are fixed by convention.
var colors = [...]string{
	"#ffffff", "#000000", "#00007f", "#009300", "#ff0000", "#7f0000", "#9c009c", "#fc7f00",
	"#ffff00", "#00fc00", "#009393", "#00ffff", "#0000fc", "#ff00ff", "#7f7f7f", "#d2d2d2",
	"#470000", "#472100", "#474700", "#324700", "#004700", "#00472c", "#004747", "#002747", "#000047", "#2e0047", "#470047", "#47002a",
	"#740000", "#743a00", "#747400", "#517400", "#007400", "#007449", "#007474", "#004074", "#000074", "#4b0074", "#740074", "#740045",
	"#b50000", "#b56300", "#b5b500", "#7db500", "#00b500", "#00b571", "#00b5b5", "#0063b5", "#0000b5", "#7500b5", "#b500b5", "#b5006b",
	"#ff0000", "#ff8c00", "#ffff00", "#b2ff00", "#00ff00", "#00ffa0", "#00ffff", "#008cff", "#0000ff", "#a500ff", "#ff00ff", "#ff0098",
	"#ff5959", "#ffb459", "#ffff71", "#cfff60", "#6fff6f", "#65ffc9", "#6dffff", "#59b4ff", "#5959ff", "#c459ff", "#ff66ff", "#ff59bc",
	"#ff9c9c", "#ffd39c", "#ffff9c", "#e2ff9c", "#9cff9c", "#9cffdb", "#9cffff", "#9cd3ff", "#9c9cff", "#dc9cff", "#ff9cff", "#ff94d3",
	"#000000", "#131313", "#282828", "#363636", "#4d4d4d", "#656565", "#818181", "#9f9f9f", "#bcbcbc", "#e2e2e2", "#ffffff",
}

// palette returns the colour of a number; 99 and unknown ones are the default.
func palette(number string) string {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(colors) {
		return ""
	}
	return colors[n]
}

// colorCode returns the control code for a foreground and background colour, of
// which at least the foreground must be set.
func colorCode(fg, bg string) string {
	f, okF := colorNumber(fg)
	b, okB := colorNumber(bg)
	switch {
	case okF && bg == "":
		return fmt.Sprintf("%c%02d", codeColor, f)
	case okF && okB:
		return fmt.Sprintf("%c%02d,%02d", codeColor, f, b)
	case bg == "":
		return string(rune(codeHexColor)) + fg[1:]
	case fg == "":
		if okB {
			return fmt.Sprintf("%c99,%02d", codeColor, b)
		}
		// Hexadecimal colours cannot name the default foreground.
		return fmt.Sprintf("%c99,%02d", codeColor, nearest(bg))
	}
	return string(rune(codeHexColor)) + fg[1:] + "," + bg[1:]
}

// colorNumber returns the number of a colour that is exactly in the palette.
func colorNumber(color string) (int, bool) {
	for i, c := range colors {
		if c == color {
			return i, true
		}
	}
	return 0, false
}

func nearest(color string) int {
	r, g, b := rgb(color)
	best, distance := 1, 1<<30
	for i, c := range colors {
		cr, cg, cb := rgb(c)
		d := (r-cr)*(r-cr) + (g-cg)*(g-cg) + (b-cb)*(b-cb)
		if d < distance {
			best, distance = i, d
		}
	}
	return best
}

func rgb(color string) (r, g, b int) {
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil {
		return 0, 0, 0
	}
	return int(n >> 16 & 0xff), int(n >> 8 & 0xff), int(n & 0xff)
}

// names are the colour names of HTML 4, which clients' font tags use.
var names = map[string]string{
	"black": "#000000", "silver": "#c0c0c0", "gray": "#808080", "grey": "#808080", "white": "#ffffff",
	"maroon": "#800000", "red": "#ff0000", "purple": "#800080", "fuchsia": "#ff00ff", "green": "#008000",
	"lime": "#00ff00", "olive": "#808000", "yellow": "#ffff00", "navy": "#000080", "blue": "#0000ff",
	"teal": "#008080", "aqua": "#00ffff", "orange": "#ffa500",
}

// parseColor reads #rrggbb, #rgb or a name, and returns "#rrggbb" or "".
func parseColor(value string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	if c, ok := names[value]; ok {
		return c
	}
	hex, ok := strings.CutPrefix(value, "#")
	if !ok {
		return ""
	}
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	if len(hex) != 6 || !isHex6(hex) {
		return ""
	}
	return "#" + hex
}
