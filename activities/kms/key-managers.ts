import type { KeyManager, KeyProvider } from './managed-key.ts';

/** Loads what asks a provider, and nothing of the others. The provider's client is loaded by its first question. */
export async function loadKeyManager(provider: KeyProvider): Promise<KeyManager> {
  switch (provider) {
    case 'awskms':
      return (await import('./aws/manager.ts')).createAwsKeyManager();
    case 'hashivault':
    case 'openbao':
      return (await import('./vault/manager.ts')).createVaultKeyManager();
    case 'gcpkms':
      return (await import('./gcp/manager.ts')).createGcpKeyManager();
    case 'azurekms':
      return (await import('./azure/manager.ts')).createAzureKeyManager();
  }
}
