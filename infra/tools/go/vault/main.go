// vault serves Vault with nothing but the transit engine on the address given as its first argument, over plain HTTP and
// out of memory. It is unsealed, transit is mounted, and the file given as its second argument holds the root token and
// the one unseal key, as JSON.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

type secrets struct {
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"`
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("expected two arguments, the address to listen on and the file for token and unseal key")
	}
	core, made, err := newCore(hclog.New(&hclog.LoggerOptions{Level: hclog.Warn}))
	if err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(made)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[2], text, 0o600); err != nil {
		log.Fatal(err)
	}
	properties := &vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{}}
	log.Fatal(http.ListenAndServe(os.Args[1], vaulthttp.Handler.Handler(properties)))
}

func newCore(logger hclog.Logger) (*vault.Core, *secrets, error) {
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return nil, nil, err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:        storage,
		Logger:          logger,
		DisableMlock:    true,
		BuiltinRegistry: onlyTransit{},
		LogicalBackends: map[string]logical.Factory{"transit": transit.Factory},
	})
	if err != nil {
		return nil, nil, err
	}
	shares := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: shares, RecoveryConfig: shares})
	if err != nil {
		return nil, nil, err
	}
	if _, err := core.Unseal(made.SecretShares[0]); err != nil {
		return nil, nil, err
	}
	_, err = core.HandleRequest(namespace.RootContext(context.Background()), &logical.Request{
		Operation:   logical.UpdateOperation,
		Path:        "sys/mounts/transit",
		ClientToken: made.RootToken,
		Data:        map[string]interface{}{"type": "transit"},
	})
	return core, &secrets{RootToken: made.RootToken, UnsealKey: hex.EncodeToString(made.SecretShares[0])}, err
}

// onlyTransit is the list of engines that Vault is built with; without one, the first mount panics.
type onlyTransit struct{}

func isTransit(name string, kind consts.PluginType) bool {
	return name == "transit" && kind == consts.PluginTypeSecrets
}

func (onlyTransit) Contains(name string, kind consts.PluginType) bool { return isTransit(name, kind) }

func (onlyTransit) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	return func() (interface{}, error) { return logical.Factory(transit.Factory), nil }, isTransit(name, kind)
}

func (onlyTransit) Keys(consts.PluginType) []string { return []string{"transit"} }

func (onlyTransit) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, isTransit(name, kind)
}

func (onlyTransit) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
