package pagetest

import (
	"slices"
	"testing"
)

func TestUntranslated(t *testing.T) {
	t.Parallel()
	got := Untranslated(`<title>⟦Users⟧ · x</title><p>⟦%s ⟦of⟧ <i>in it</i> all⟧ and <b>more</b><code>landbridge serve</code> @anna:example.org 3 KiB<input placeholder="Name"><i translate="no">Acme</i> Garden`, "Garden")
	if want := []string{"all⟧ and", "more", "Name"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
