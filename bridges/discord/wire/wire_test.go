package wire

import (
	"testing"
	"time"
)

func TestDecodeIsLenient(t *testing.T) {
	t.Parallel()
	var m Message
	raw := `{"id":175928847299117063,"channel_id":"5","content":"hello","author":{"id":"7","username":3,"bot":"yes","global_name":"G"},
	"type":"19","attachments":[{"id":"1","filename":"a"},7,{"id":"2","size":"12"}],"unknown":{"x":[1]},"timestamp":"2016-04-30T11:18:25.796000+00:00","flags":null}`
	if err := Decode([]byte(raw), &m); err != nil {
		t.Fatal(err)
	}
	if m.ID != "175928847299117063" || m.ChannelID != "5" || m.Content != "hello" || m.Author.ID != "7" || m.Author.GlobalName != "G" || m.Type != 19 {
		t.Errorf("decoded %+v", m)
	}
	if len(m.Attachments) != 2 || m.Attachments[1].Size != 12 {
		t.Errorf("attachments %+v", m.Attachments)
	}
	if !m.ID.Time().Equal(m.Timestamp.Time) {
		t.Errorf("the id was made at %v, the message at %v", m.ID.Time(), m.Timestamp)
	}
}

func TestIDAt(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1700000000123)
	if got := IDAt(now).Time(); !got.Equal(now) {
		t.Errorf("%v, want %v", got, now)
	}
	if !ID("10").After("9") || ID("9").After("10") || !ID("1").After("") {
		t.Error("ids are not compared as numbers")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"1","author":[],"mentions":{"a":1},"poll":3}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Message
		_ = Decode(raw, &m)
		var g Guild
		_ = Decode(raw, &g)
	})
}
