package sentence

import (
	"encoding/json/v2"
	"errors"
	"fmt"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	german := func(key string) string {
		if to := map[string]string{"%d people of %s": "%d Leute von %s", "the bridge": "der Brücke", "no %q": "kein %q", "%s or not": "%s oder nicht"}[key]; to != "" {
			return to
		}
		return "?" + key
	}
	for _, c := range []struct {
		text        Text
		english, de string
	}{
		{Text{}, "", ""},
		{Data(""), "", ""},
		{Data("50 % of it"), "50 % of it", "50 % of it"},
		{Say("%d people of %s", 3, Say("the bridge")), "3 people of the bridge", "3 Leute von der Brücke"},
		{Join(Say("the bridge"), Data("x")), "the bridge x", "der Brücke x"},
		{Say("100 %"), "100 %", "100 %"},
		{Say("%s or not", Errorf("no %q", "y")), `no "y" or not`, `kein "y" oder nicht`},
		{Say("%s or not", errors.New("eof")), "eof or not", "eof oder nicht"},
		{Of(Errorf("no %q", "y")), `no "y"`, `kein "y"`},
		{Of(fmt.Errorf("here: %w", Errorf("no %q", "y"))), `here: no "y"`, `here: no "y"`},
		{Of(nil), "", ""},
	} {
		if got := c.text.String(); got != c.english {
			t.Errorf("%q, not %q", got, c.english)
		}
		if got := c.text.In(german); got != c.de {
			t.Errorf("%q, not %q", got, c.de)
		}
	}
	raw, err := json.Marshal(map[string]Text{"a": Say("%d people of %s", 3, "it")})
	if err != nil || string(raw) != `{"a":"3 people of it"}` {
		t.Errorf("%s %v", raw, err)
	}
	var back map[string]Text
	if err := json.Unmarshal(raw, &back); err != nil || back["a"].String() != "3 people of it" {
		t.Errorf("%v %v", back, err)
	}
}
