package diag

import "strings"

// Nearest is the known name that a misspelt one was most likely meant to be, or "".
// Case, hyphens, underscores and spaces do not count as differences; for the rest, the
// number of changed letters allowed grows with the length of the name. Names with a dot
// in them belong to some vendor and are only compared whole.
func Nearest(name string, known []string) string {
	if len(name) > 64 {
		return ""
	}
	best, bestDistance := "", 1000
	for _, k := range known {
		d := 0
		if a, b := fold(name), fold(k); a != b {
			if strings.Contains(name, ".") || strings.Contains(k, ".") {
				continue
			}
			d = distance(a, b)
			if d > allowed(min(len(a), len(b))) {
				continue
			}
		}
		if d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

func allowed(length int) int {
	switch {
	case length <= 1:
		return 0
	case length <= 6:
		return 1
	default:
		return 2
	}
}

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// distance is the number of letters to insert, remove, replace or swap with their
// neighbour to make b out of a (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
