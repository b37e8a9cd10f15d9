package apng

// The filters of PNG: each writes its number and the differences between a row and what it expects of the bytes to the left
// and above, and returns how large these are in all. The smaller they are the better they are compressed.

const (
	none  = 0
	sub   = 1
	up    = 2
	paeth = 4
)

// size is how far a difference is from zero, taken as if it had a sign.
func size(d byte) int { return int(min(d, -d)) }

func filterNone(to, row, _ []byte) (sum int) {
	to[0] = none
	copy(to[1:], row)
	for _, v := range row {
		sum += size(v)
	}
	return sum
}

func filterSub(to, row, _ []byte) (sum int) {
	to[0] = sub
	to = to[1:]
	for i, v := range row {
		if i >= 4 {
			v -= row[i-4]
		}
		to[i] = v
		sum += size(v)
	}
	return sum
}

func filterUp(to, row, above []byte) (sum int) {
	to[0] = up
	to = to[1:]
	for i, v := range row {
		v -= above[i]
		to[i] = v
		sum += size(v)
	}
	return sum
}

func filterPaeth(to, row, above []byte) (sum int) {
	to[0] = paeth
	to = to[1:]
	for i, v := range row {
		if i >= 4 {
			v -= nearest(row[i-4], above[i], above[i-4])
		} else {
			v -= above[i]
		}
		to[i] = v
		sum += size(v)
	}
	return sum
}

// nearest is the one of the bytes to the left, above, and above to the left which is nearest to left + above - corner.
func nearest(left, above, corner byte) byte {
	a, b := int(above)-int(corner), int(left)-int(corner)
	c := abs(a + b)
	a, b = abs(a), abs(b)
	switch {
	case a <= b && a <= c:
		return left
	case b <= c:
		return above
	}
	return corner
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
