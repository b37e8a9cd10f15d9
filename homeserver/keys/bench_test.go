package keys

import (
	"encoding/json/jsontext"
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// BenchmarkClaim claims a key of each of 10,000 devices in one request, as one who begins to
// speak in a large encrypted room does.
func BenchmarkClaim(b *testing.B) {
	const devices = 10_000
	f := newFixture(b)
	r := ClaimRequest{OneTimeKeys: map[string]map[string]string{}}
	names := make([]store.DeviceName, devices)
	err := f.store.Write(b.Context(), func(tx *store.Tx) error {
		for i := range names {
			user := fmt.Sprintf("@u%d:x", i)
			nid, err := tx.NameUser(user)
			if err != nil {
				return err
			}
			if _, _, err := tx.EnsureDevice(store.Device{User: nid, ID: "D"}); err != nil {
				return err
			}
			names[i] = store.DeviceName{User: nid, ID: "D"}
			r.OneTimeKeys[user] = map[string]string{"D": "signed_curve25519"}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		err := f.store.Write(b.Context(), func(tx *store.Tx) error {
			for _, d := range names {
				key := store.OneTimeKey{Algorithm: "signed_curve25519", ID: fmt.Sprint(n), JSON: `{"key":"x","signatures":{}}`}
				if _, err := tx.AddOneTimeKey(d, key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		out, err := f.Claim(b.Context(), r)
		if err != nil || len(out.OneTimeKeys) != devices {
			b.Fatalf("%d keys, %v", len(out.OneTimeKeys), err)
		}
	}
}

// BenchmarkToDevice sends 2,000 messages to one device, each in a request of its own, and takes
// them all again, as /sync does.
func BenchmarkToDevice(b *testing.B) {
	const messages = 2000
	f := newFixture(b)
	sender, reader := f.device("@a:x", "A", false), f.device("@b:x", "B", false)
	content := jsontext.Value(fmt.Sprintf(`{"ciphertext":%q}`, strings.Repeat("x", 400)))
	txn := 0
	for b.Loop() {
		for range messages {
			txn++
			r := ToDeviceRequest{Messages: map[string]map[string]jsontext.Value{"@b:x": {"B": content}}}
			if _, err := f.SendToDevice(b.Context(), sender.Owner, "m.room.encrypted", fmt.Sprint(txn), r); err != nil {
				b.Fatal(err)
			}
		}
		for last := int64(0); ; {
			got, err := f.store.ToDeviceAfter(b.Context(), reader.device(), last, f.store.Position(), 100)
			if err != nil {
				b.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			last = got[len(got)-1].Pos
			if err := f.store.Write(b.Context(), func(tx *store.Tx) error { return tx.DeleteToDevice(reader.Owner.device(), last) }); err != nil {
				b.Fatal(err)
			}
		}
	}
}
