package session

import (
	"strings"
	"testing"
)

// The exchange of RFC 7677, section 3.
func TestScram(t *testing.T) {
	t.Parallel()
	const (
		nonce      = "rOprNGfwEbeRWgbNEkqO"
		serverGot  = nonce + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
		challenge  = "r=" + serverGot + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
		wantProof  = "c=biws,r=" + serverGot + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
		lastServer = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
	)
	begin := func(t *testing.T) *Scram {
		s := &Scram{User: "user", Password: "pencil"}
		if err := s.Start(nil); err != nil {
			t.Fatal(err)
		}
		if len(s.nonce) < 20 {
			t.Errorf("the nonce is %q", s.nonce)
		}
		s.nonce = nonce
		if first, err := s.Next(nil); err != nil || string(first) != "n,,n=user,r="+nonce {
			t.Fatalf("the first message is %q, %v", first, err)
		}
		return s
	}
	s := begin(t)
	if s.done() == nil {
		t.Error("it is over at once")
	}
	if final, err := s.Next([]byte(challenge)); err != nil || string(final) != wantProof {
		t.Errorf("the final message is %q, %v", final, err)
	}
	if s.done() == nil {
		t.Error("it is over before the server has proved itself")
	}
	if _, err := s.Next([]byte(lastServer)); err != nil {
		t.Error(err)
	}
	if err := s.done(); err != nil {
		t.Error(err)
	}
	if _, err := s.Next(nil); err == nil {
		t.Error("there is a fourth step")
	}

	for _, bad := range []string{
		"", "e=unknown-user", "m=ext," + challenge, "r=stolen,s=QQ==,i=4096", "r=" + nonce + ",s=QQ==,i=4096",
		strings.Replace(challenge, "i=4096", "i=100", 1), strings.Replace(challenge, "i=4096", "i=100000000", 1),
		strings.Replace(challenge, "s=W22ZaJ0SNY7soEsUEjb6gQ==", "s=%", 1),
	} {
		if got, err := begin(t).Next([]byte(bad)); err == nil {
			t.Errorf("the challenge %q is answered with %q", bad, got)
		}
	}
	for _, bad := range []string{"", "e=invalid-proof", "v=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl96G4="} {
		s := begin(t)
		if _, err := s.Next([]byte(challenge)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Next([]byte(bad)); err == nil {
			t.Errorf("a server that proves itself with %q is believed", bad)
		}
	}
	odd := &Scram{User: "a,b=c"}
	if first, err := odd.Next(nil); err != nil || !strings.HasPrefix(string(first), "n,,n=a=2Cb=3Dc,") {
		t.Errorf("an odd user's first message is %q, %v", first, err)
	}
}

func FuzzScram(f *testing.F) {
	f.Add("r=x1,s=QQ==,i=4096", "v=QQ==")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains(a, "i=") && !strings.Contains(a, "i=4096") {
			return // real work, which is bounded elsewhere
		}
		s := &Scram{User: "u", Password: "p", nonce: "x"}
		_, _ = s.Next(nil)
		_, _ = s.Next([]byte(a))
		if _, err := s.Next([]byte(b)); err == nil {
			t.Error("a stranger proved itself")
		}
	})
}
