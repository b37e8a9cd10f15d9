package discordtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Oddities are ways in which a server is not quite as Discord documents it.
type Oddities struct {
	// Strings has numbers be strings, ids be numbers, and the headers of limits be words.
	Strings bool
	// Unknown adds fields, events and operations that nobody knows.
	Unknown bool
	// Twice has the gateway tell each event twice.
	Twice bool
	// Shuffled has it tell an event after the next one, if that follows at once.
	Shuffled bool
	// Missing says which requests are answered 404; nil for none.
	Missing func(method, path string) bool
	// Answer changes what a request is answered, as encoding/json reads it; nil for not at all.
	Answer func(method, path string, v any) any
	// Event says whether an event is told, and may change what it says; nil for yes.
	Event func(kind string, v map[string]any) bool
}

// Odd stands before a Server and says what that says, but oddly. Its methods are safe for concurrent use.
type Odd struct {
	s        *Server
	listener net.Listener
	http     *http.Server
	done     sync.WaitGroup

	mu     sync.Mutex
	odd    Oddities
	missed map[string]int
}

// NewOdd starts one.
func NewOdd(s *Server, how Oddities) (*Odd, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	o := &Odd{s: s, listener: l, odd: how, missed: map[string]int{}}
	target := &url.URL{Scheme: "http", Host: s.Addr()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: o.answer,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/gateway", o.serveGateway)
	mux.HandleFunc("/gateway/", o.serveGateway)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/api/v10")
		if m := o.how().Missing; m != nil && m(r.Method, path) {
			o.mu.Lock()
			o.missed[r.Method]++
			o.mu.Unlock()
			answer(w, http.StatusNotFound, map[string]any{"message": "404: Not Found", "code": 0})
			return
		}
		proxy.ServeHTTP(w, r)
	})
	o.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	o.done.Go(func() { _ = o.http.Serve(l) }) // ends with Close
	return o, nil
}

// Close ends it.
func (o *Odd) Close() {
	_ = o.http.Close()
	o.done.Wait()
}

// URL is the base of the API, and CDN that of files.
func (o *Odd) URL() string { return "http://" + o.listener.Addr().String() + "/api/v10" }

// CDN is the base of files.
func (o *Odd) CDN() string { return "http://" + o.listener.Addr().String() + "/cdn" }

// Be has it be odd in another way from now on; what was said before was said.
func (o *Odd) Be(how Oddities) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.odd = how
}

// Missed is how many requests were answered 404 for being missing.
func (o *Odd) Missed() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range o.missed {
		n += k
	}
	return n
}

func (o *Odd) how() Oddities {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.odd
}

// answer changes an answer of the API.
func (o *Odd) answer(res *http.Response) error {
	how := o.how()
	if how.Strings {
		for _, name := range []string{"X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Reset-After"} {
			res.Header.Set(name, "some")
		}
		res.Header.Set("Date", "today")
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return nil
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	raw = o.change(raw, how)
	if how.Answer != nil {
		var v any
		if json.Unmarshal(raw, &v) == nil {
			if raw, err = json.Marshal(how.Answer(res.Request.Method, strings.TrimPrefix(res.Request.URL.Path, "/api/v10"), v)); err != nil {
				return err
			}
		}
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	res.Header.Set("Content-Length", strconv.Itoa(len(raw)))
	return nil
}

// change says what a JSON text says, oddly.
func (o *Odd) change(raw []byte, how Oddities) []byte {
	raw = bytes.ReplaceAll(raw, []byte(o.s.Addr()), []byte(o.listener.Addr().String()))
	if !how.Strings && !how.Unknown {
		return raw
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(oddly("", v, how))
	if err != nil {
		panic(err) // of what was JSON
	}
	return out
}

// changeEvent has f change an event. It returns nil for one that is not told.
func changeEvent(raw []byte, f func(kind string, v map[string]any) bool) []byte {
	var frame map[string]any
	if json.Unmarshal(raw, &frame) != nil {
		return raw
	}
	kind, _ := frame["t"].(string)
	v, ok := frame["d"].(map[string]any)
	if !ok || kind == "" {
		return raw
	}
	if !f(kind, v) {
		return nil
	}
	out, err := json.Marshal(frame)
	if err != nil {
		panic(err) // of what was JSON
	}
	return out
}

// oddly changes a value; key is its name.
func oddly(key string, v any, how Oddities) any {
	switch v := v.(type) {
	case json.Number:
		if how.Strings {
			return v.String()
		}
	case string:
		id := key == "id" || strings.HasSuffix(key, "_id") || key == "allow" || key == "deny" || key == "permissions"
		if _, err := strconv.ParseUint(v, 10, 64); how.Strings && id && err == nil {
			return json.Number(v)
		}
	case []any:
		for i := range v {
			v[i] = oddly("", v[i], how)
		}
	case map[string]any:
		for k := range v {
			v[k] = oddly(k, v[k], how)
		}
		if how.Unknown {
			v["x_unknown"] = map[string]any{"list": []any{1, "two", nil, map[string]any{}}, "id": -1}
			v["x_nothing"] = nil
		}
	}
	return v
}

// serveGateway stands between a client and the gateway.
func (o *Odd) serveGateway(w http.ResponseWriter, r *http.Request) {
	up, res, err := websocket.DefaultDialer.DialContext(r.Context(), "ws://"+o.s.Addr()+r.URL.RequestURI(), nil)
	if res != nil && res.Body != nil {
		defer res.Body.Close()
	}
	if err != nil {
		http.Error(w, "no gateway", http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer down.Close()
	go func() { // ends with the connections
		defer up.Close()
		for {
			kind, raw, err := down.ReadMessage()
			if err != nil || up.WriteMessage(kind, raw) != nil {
				return
			}
		}
	}()
	frames := make(chan []byte)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		defer close(frames)
		for {
			_, raw, err := up.ReadMessage()
			if err != nil {
				var closed *websocket.CloseError
				if ce, ok := err.(*websocket.CloseError); ok {
					closed = ce
					_ = down.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closed.Code, closed.Text), time.Now().Add(time.Second))
				}
				return
			}
			select {
			case frames <- raw:
			case <-ended:
				return
			}
		}
	}()
	o.tell(down, frames)
}

// shuffleTime is how long an event waits for one that may go before it.
const shuffleTime = 100 * time.Millisecond

// tell takes what the gateway says to the client, until frames is closed.
func (o *Odd) tell(down *websocket.Conn, frames <-chan []byte) {
	var held []byte
	wait := time.NewTimer(shuffleTime)
	defer wait.Stop()
	told := 0
	send := func(raw []byte) bool {
		how := o.how()
		raw = o.change(raw, how)
		if how.Event != nil {
			if raw = changeEvent(raw, how.Event); raw == nil {
				return true
			}
		}
		if down.WriteMessage(websocket.TextMessage, raw) != nil {
			return false
		}
		var f struct {
			Op json.RawMessage `json:"op"`
			D  json.RawMessage `json:"d"`
			T  string          `json:"t"`
		}
		if json.Unmarshal(raw, &f) != nil || f.T == "" {
			return true
		}
		if told++; how.Unknown && told%2 == 0 {
			for _, odd := range []string{`{"op":42,"d":{"x":1}}`, `{"op":0,"t":"X_UNKNOWN","s":null,"d":{"guild_id":"1","channel_id":"2"}}`} {
				if down.WriteMessage(websocket.TextMessage, []byte(odd)) != nil {
					return false
				}
			}
		}
		if !how.Twice || f.T == "READY" {
			return true
		}
		if told%2 == 0 { // every other repetition does not say that it is one
			raw, _ = json.Marshal(map[string]any{"op": f.Op, "d": f.D, "t": f.T, "s": nil})
		}
		return down.WriteMessage(websocket.TextMessage, raw) == nil
	}
	for {
		select {
		case raw, ok := <-frames:
			if !ok {
				if held != nil {
					send(held)
				}
				return
			}
			if held == nil && o.how().Shuffled && bytes.Contains(raw, []byte(`"op":0`)) && !bytes.Contains(raw, []byte(`"t":"READY"`)) {
				held = raw
				wait.Reset(shuffleTime)
				continue
			}
			if !send(raw) {
				return
			}
		case <-wait.C:
		}
		if held != nil {
			raw := held
			held = nil
			if !send(raw) {
				return
			}
		}
	}
}
