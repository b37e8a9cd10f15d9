package appservices

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// A transaction is kept as it is sent, compressed, in the same write in which its range is: one that is sent again
// after a crash has the same content under the same id, whatever was redacted, purged or read since. "the homeserver
// MUST NOT alter (e.g. add more) events they were going to send within that transaction ID on retries, as the AS may have
// already processed the events."

// keptTaken is a device whose messages up to a position are in the transaction. What is kept is a JSON array of these, a line
// break, and the body.
type keptTaken struct {
	User   int64  `json:"user"`
	Device string `json:"device"`
	Upto   int64  `json:"upto"`
}

// maxKept bounds a kept transaction when it is read, in bytes.
const maxKept = 64 << 20

// keep makes the body of a transaction and stores it with the cursor.
func (d *sender) keep(ctx context.Context, cur store.Cursor, t *transaction) error {
	t.raw = t.body()
	var taken []keptTaken
	for device, upto := range t.taken {
		taken = append(taken, keptTaken{User: device.User, Device: device.ID, Upto: upto})
	}
	head, err := json.Marshal(taken)
	if err != nil {
		return fmt.Errorf("keep a transaction: %w", err)
	}
	var buf bytes.Buffer
	w, err := d.s.deflater(&buf)
	if err == nil {
		for _, part := range [][]byte{head, {'\n'}, t.raw} {
			_, werr := w.Write(part)
			err = errors.Join(err, werr)
		}
		err = errors.Join(err, w.Close())
		d.s.deflaters.Put(w)
	}
	if err != nil {
		return fmt.Errorf("keep a transaction: %w", err)
	}
	return d.s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetServiceTransaction(d.reg.ID, cur.Txn, buf.Bytes()); err != nil {
			return err
		}
		return tx.SetCursor(d.reg.ID, cur)
	})
}

// deflater compresses what is written to it into buf. Each takes half a megabyte, so they are used again.
func (s *Services) deflater(buf *bytes.Buffer) (*flate.Writer, error) {
	if w, ok := s.deflaters.Get().(*flate.Writer); ok {
		w.Reset(buf)
		return w, nil
	}
	return flate.NewWriter(buf, flate.BestSpeed)
}

// kept is the transaction that was under way. One of an earlier version of the program was not kept, and is made anew.
func (d *sender) kept(ctx context.Context, cur store.Cursor) (*transaction, error) {
	raw, err := d.s.o.Store.ServiceTransaction(ctx, d.reg.ID, cur.Txn)
	if errors.Is(err, store.ErrNotFound) {
		return d.gather(ctx, cur.Pos, cur.Upto)
	} else if err != nil {
		return nil, err
	}
	if raw, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw)), maxKept)); err != nil {
		return nil, fmt.Errorf("read the transaction that was under way: %w", err)
	}
	head, body, _ := bytes.Cut(raw, []byte{'\n'})
	var taken []keptTaken
	if err := json.Unmarshal(head, &taken); err != nil {
		return nil, fmt.Errorf("read the transaction that was under way: %w", err)
	}
	t := &transaction{upto: cur.Upto, raw: body, taken: map[store.DeviceName]int64{}}
	for _, x := range taken {
		t.taken[store.DeviceName{User: x.User, ID: x.Device}] = x.Upto
	}
	return t, nil
}
