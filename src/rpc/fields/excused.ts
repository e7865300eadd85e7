/** For the test of this folder: the fields that change nothing which it looks at, each with the reason. */

/** Fields whose effect comes later than what is decided here, and the test that shows it by the field's name. */
export const ELSEWHERE: Readonly<Record<string, string>> = {
  'container mounts[].image.image': 'test/volumes.test.ts',
  'container mounts[].imageSubPath': 'test/volumes.test.ts',
  'container mounts[].uidMappings': 'test/userns.test.ts',
  'container mounts[].gidMappings': 'test/userns.test.ts',
  'container stdinOnce': 'test/streaming/sessions.test.ts',
};

const NO_IMAGES_OF_ITS_OWN =
  'the image is found by its name and id; these say nothing that a container depends on';
const FOR_THE_KUBELET = 'the kubelet counts it into the limits of the cgroup that it makes for the pod';

/** Fields that mean nothing to a runtime on Linux. A path stands for all that is below it. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  'container mounts[].image.annotations': NO_IMAGES_OF_ITS_OWN,
  'container mounts[].image.userSpecifiedImage': NO_IMAGES_OF_ITS_OWN,
  'container mounts[].image.runtimeHandler': NO_IMAGES_OF_ITS_OWN,
  'container mounts[].image.imageRef': NO_IMAGES_OF_ITS_OWN,
  'container image.annotations': NO_IMAGES_OF_ITS_OWN,
  'container image.runtimeHandler': NO_IMAGES_OF_ITS_OWN,
  'container image.imageRef': NO_IMAGES_OF_ITS_OWN,

  'pod linux.securityContext.readonlyRootfs': "the pause container's root is read-only whatever this says",
  'pod linux.securityContext.supplementalGroupsPolicy': 'a pod has no image whose groups could be merged',
  'pod linux.securityContext.namespaceOptions.targetId': 'a pod that names a target is refused for its mode',
  'pod linux.overhead': FOR_THE_KUBELET,
  ...Object.fromEntries(
    'oomScoreAdj cpusetCpus cpusetMems hugepageLimits unified memorySwapLimitInBytes'
      .split(' ')
      .map((name) => [`pod linux.resources.${name}`, FOR_THE_KUBELET]),
  ),
};

/** Fields that are refused: nothing here can do what they say. A path stands for all that is below it. */
export const REFUSED: readonly string[] = [
  'container windows',
  // Whatever is not the pod's.
  'container linux.securityContext.namespaceOptions.network',
  'container linux.securityContext.namespaceOptions.ipc',
  'container linux.securityContext.namespaceOptions.usernsOptions',
  'pod windows',
  // Whatever is not 0.
  'pod linux.securityContext.namespaceOptions.usernsOptions.uids[].containerId',
  'pod linux.securityContext.namespaceOptions.usernsOptions.gids[].containerId',
];
