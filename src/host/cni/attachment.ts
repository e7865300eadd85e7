/** What a pod's network is to be made from. */
export interface AttachRequest {
  id: string;
  /** Path of the pod's network namespace. */
  netns: string;
  pod: PodIdentity;
  portMappings: PortMapping[];
  /** The pod's annotations. */
  annotations: Record<string, string>;
  dns: { servers: string[]; searches: string[]; options: string[] };
  /** Path of the pod's cgroup, '' if it has none of its own. */
  cgroupParent: string;
  /** The directory that its network is configured in, one of those of the options; '' for the default one. */
  confDir: string;
}

export interface PodIdentity {
  name: string;
  namespace: string;
  uid: string;
}

export interface PortMapping {
  protocol: 'tcp' | 'udp' | 'sctp';
  containerPort: number;
  hostPort: number;
  hostIp: string;
}

/** A pod's place in a network. */
export interface Attachment {
  network: string;
  /** Without prefix length, the pod's primary one first. */
  ips: string[];
  /** The CNI result, as JSON. */
  result: unknown;
}
