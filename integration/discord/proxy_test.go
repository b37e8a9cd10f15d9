package discord_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// proxy is an HTTP proxy that alone knows where discord.test is.
type proxy struct {
	*httptest.Server
	target            string // host and port of the stand-in
	requests, tunnels atomic.Int64
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{target: target}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", p.target, p.target
	}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		switch {
		case host != "discord.test":
			http.Error(w, "what is "+r.Host+"?", http.StatusBadGateway)
		case r.Method == http.MethodConnect:
			p.tunnels.Add(1)
			p.tunnel(w)
		default:
			p.requests.Add(1)
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// tunnel serves CONNECT.
func (p *proxy) tunnel(w http.ResponseWriter) {
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	if _, err := io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(up, buf)
		up.Close()
	})
	_, _ = io.Copy(down, up)
	down.Close()
	both.Wait()
}

// Requests, files and the gateway go through a proxy, which the configuration or the environment names.
func TestProxy(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"configuration", "environment"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			var general *discordtest.Channel
			var p *proxy
			w := newWorld(t, func(w *world) {
				general = w.dc.AddChannel(w.guild, 0, "general", "")
				w.dc.AddFile("/emojis/77.png", []byte(png+"emoji"))
				p = newProxy(t, w.dc.Addr())
				w.api, w.cdn = "http://discord.test/api/v10", "http://discord.test/cdn"
				w.extra = "      gateway_url: ws://discord.test/gateway\n"
				if by == "configuration" {
					w.extra += "      proxy: " + p.URL + "\n"
				} else {
					w.env = []string{"HTTP_PROXY=" + p.URL, "HTTPS_PROXY=" + p.URL}
				}
			})
			mia := w.user("mia")
			room := w.join(mia, general)
			w.talk(mia, room, general, w.anna, "one")
			w.dc.Say(general, w.anna, "wave <:wave:77>", nil)
			w.says(mia, room, w.ghost(w.anna), "data-mx-emoticon", "mxc://")
			if p.requests.Load() < 5 || p.tunnels.Load() < 1 {
				t.Errorf("there were %d requests and %d tunnels", p.requests.Load(), p.tunnels.Load())
			}
			w.dc.ForgetSessions()
			w.dc.DropConnections()
			w.talk(mia, room, general, w.anna, "two")
			if p.tunnels.Load() < 2 {
				t.Error("the second connection to the gateway did not go through the proxy")
			}
			out, err := exec.CommandContext(w.ctx, testserver.Binary(), "doctor", "discord", "-c", w.server.Config()).CombinedOutput()
			if by == "configuration" && !strings.Contains(string(out), "Discord knows the bot") {
				t.Errorf("the doctor says %s (%v)", out, err)
			}
		})
	}
}
