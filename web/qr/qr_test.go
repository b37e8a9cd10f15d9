package qr

import (
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	t.Parallel()
	svg, err := SVG("https://example.org/", `a "label" & more`)
	if err != nil || !strings.Contains(string(svg), `aria-label="a &#34;label&#34; &amp; more"`) || strings.Count(string(svg), "h") < 100 {
		t.Errorf("%s %v", svg, err)
	}
	if _, err := SVG(strings.Repeat("x", 10000), ""); err == nil {
		t.Error("drew what is too long")
	}
}
