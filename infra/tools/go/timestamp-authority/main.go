// timestamp-authority answers time-stamp requests (RFC 3161) on the address given as its argument, with keys and
// certificates that live as long as the process. It is the timestamp-server of the same module without its metrics, whose
// port is the same for all of a machine.
package main

import (
	"log"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

const (
	timeout = 30 * time.Second
	// the OID that Sigstore's own authority uses
	policy = "1.3.6.1.4.1.57264.2"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("expected one argument, the address to listen on, for example 127.0.0.1:3000")
	}
	host, port, err := net.SplitHostPort(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		log.Fatal(err)
	}
	viper.Set("timestamp-signer", "memory")
	viper.Set("timestamp-signer-hash", "sha256")
	viper.Set("default-policy-oid", policy)
	viper.Set("accepted-policy-oids", []string{policy})
	viper.Set("max-request-body-size", 1<<20)
	log.Fatal(server.NewRestAPIServer(host, number, []string{"http"}, false, timeout, timeout).Serve())
}
