/** Where everything of portcullis is on a node. The unit and the settings say the same. */
export const LAYOUT = {
  /** Releases by their version, and the link to the one that runs. */
  releases: '/opt/portcullis/releases',
  current: '/opt/portcullis/current',
  settings: '/etc/portcullis/shim.yaml',
  environment: '/etc/portcullis/shim.env',
  verdictKeys: '/etc/portcullis/verdict-keys',
  bootstrap: '/etc/portcullis/bootstrap',
  state: '/var/lib/portcullis',
  unit: '/etc/systemd/system/portcullis-shim.service',
  tmpfiles: '/etc/tmpfiles.d/portcullis.conf',
} as const;

export const SERVICE = 'portcullis-shim.service';

/** The file beside containerd's own. Its name is the last of a folder, because later files count more. */
export const DROP_IN = 'zz-portcullis.toml';
