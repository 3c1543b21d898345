// ct-log answers add-pre-chain of RFC 6962 on the address given as its first argument, signing with the ECDSA key in the
// PKCS #8 PEM file given as its second. It keeps no log: a timestamp that verifies is all that Fulcio asks for.
package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
)

const maxRequestBytes = 1 << 20

func main() {
	if len(os.Args) != 3 {
		log.Fatal("expected two arguments, the address to listen on and the file of the private key")
	}
	key, err := readKey(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	id := sha256.Sum256(spki)
	http.HandleFunc("POST /ct/v1/add-pre-chain", func(response http.ResponseWriter, request *http.Request) {
		var submitted ct.AddChainRequest
		if err := json.NewDecoder(http.MaxBytesReader(response, request.Body, maxRequestBytes)).Decode(&submitted); err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
			return
		}
		timestamp, err := sign(key, id, submitted.Chain)
		if err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
			return
		}
		response.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(response).Encode(timestamp); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

func readKey(file string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("expected a private key as PKCS #8 PEM in %s", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if ecdsaKey, ok := key.(*ecdsa.PrivateKey); ok {
		return ecdsaKey, nil
	}
	return nil, errors.New("expected an ECDSA key")
}

func sign(key *ecdsa.PrivateKey, id [sha256.Size]byte, rawChain [][]byte) (*ct.AddChainResponse, error) {
	if len(rawChain) < 2 {
		return nil, errors.New("expected a precertificate and its issuer")
	}
	chain := make([]ct.ASN1Cert, len(rawChain))
	for i, raw := range rawChain {
		chain[i] = ct.ASN1Cert{Data: raw}
	}
	now := uint64(time.Now().UnixMilli())
	leaf, err := ct.MerkleTreeLeafFromRawChain(chain, ct.PrecertLogEntryType, now)
	if err != nil {
		return nil, err
	}
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, LogID: ct.LogID{KeyID: id}, Timestamp: now}
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, err
	}
	digitallySigned, err := tls.CreateSignature(*key, tls.SHA256, input)
	if err != nil {
		return nil, err
	}
	signature, err := tls.Marshal(digitallySigned)
	if err != nil {
		return nil, err
	}
	return &ct.AddChainResponse{SCTVersion: ct.V1, ID: id[:], Timestamp: now, Signature: signature}, nil
}
