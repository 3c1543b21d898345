/** The request of a launcher as bytes: the same words and input that the real one would send. */
export function encodeRequest(words: readonly Uint8Array[], stdin: Uint8Array): Buffer {
  const framed = words.flatMap((word) => [u32(word.length), word]);
  return Buffer.concat([MAGIC, u32(words.length), ...framed, u32(stdin.length), stdin]);
}

/** What every request begins with. */
export const MAGIC = Buffer.from('portcullis-launcher/1\n');

/** What containerd gives a verifier for an image: the arguments, and the descriptor on standard input. */
export function verifierInput(name: string, digest: string) {
  const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 500 };
  return {
    args: ['-name', name, '-digest', digest, '-stdin-media-type', 'application/vnd.oci.descriptor.v1+json'],
    stdin: `${JSON.stringify(descriptor)}\n`,
  };
}

/** A well-formed question about an image. */
export function encodeQuestion(name: string, digest: string): Buffer {
  const { args, stdin } = verifierInput(name, digest);
  return encodeRequest(
    args.map((word) => Buffer.from(word)),
    Buffer.from(stdin),
  );
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
