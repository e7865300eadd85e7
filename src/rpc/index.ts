import type { ImageServiceHandlers } from '../gen/runtime/v1/ImageService.ts';
import type { RuntimeServiceHandlers } from '../gen/runtime/v1/RuntimeService.ts';
import type { Call, ServiceHandlers } from '../lib/call.ts';
import { innerFault } from '../lib/fault.ts';
import { attach } from './container/attach.ts';
import { checkpointContainer } from './container/checkpoint-container.ts';
import { containerStatus } from './container/container-status.ts';
import { createContainer } from './container/create-container.ts';
import { exec } from './container/exec.ts';
import { execSync } from './container/exec-sync.ts';
import { listContainers } from './container/list-containers.ts';
import { removeContainer } from './container/remove-container.ts';
import { reopenContainerLog } from './container/reopen-container-log.ts';
import { startContainer } from './container/start-container.ts';
import { stopContainer } from './container/stop-container.ts';
import { streamContainers } from './container/stream-containers.ts';
import { updateContainerResources } from './container/update-container-resources.ts';
import { imageFsInfo } from './image/image-fs-info.ts';
import { imageStatus } from './image/image-status.ts';
import { listImages } from './image/list-images.ts';
import { pullImage } from './image/pull-image.ts';
import { removeImage } from './image/remove-image.ts';
import { streamImages } from './image/stream-images.ts';
import { getContainerEvents } from './runtime/get-container-events.ts';
import { runtimeConfig } from './runtime/runtime-config.ts';
import { status } from './runtime/status.ts';
import { updateRuntimeConfig } from './runtime/update-runtime-config.ts';
import { version } from './runtime/version.ts';
import { listPodSandbox } from './sandbox/list-pod-sandbox.ts';
import { podSandboxStatus } from './sandbox/pod-sandbox-status.ts';
import { portForward } from './sandbox/port-forward.ts';
import { removePodSandbox } from './sandbox/remove-pod-sandbox.ts';
import { runPodSandbox } from './sandbox/run-pod-sandbox.ts';
import { stopPodSandbox } from './sandbox/stop-pod-sandbox.ts';
import { streamPodSandboxes } from './sandbox/stream-pod-sandboxes.ts';
import { updatePodSandboxResources } from './sandbox/update-pod-sandbox-resources.ts';
import type { Services } from './services.ts';
import { containerStats } from './stats/container-stats.ts';
import { listContainerStats } from './stats/list-container-stats.ts';
import { listMetricDescriptors } from './stats/list-metric-descriptors.ts';
import { listPodSandboxMetrics } from './stats/list-pod-sandbox-metrics.ts';
import { listPodSandboxStats } from './stats/list-pod-sandbox-stats.ts';
import { podSandboxStats } from './stats/pod-sandbox-stats.ts';
import { streamContainerStats } from './stats/stream-container-stats.ts';
import { streamPodSandboxMetrics } from './stats/stream-pod-sandbox-metrics.ts';
import { streamPodSandboxStats } from './stats/stream-pod-sandbox-stats.ts';
import { unimplemented } from './unimplemented.ts';

/** A handler that has been given what it needs. */
function bind<N, Rest extends unknown[], Res>(handler: (needs: N, ...rest: Rest) => Res, needs: N) {
  return (...rest: Rest): Res => handler(needs, ...rest);
}

/** As `bind`, for a handler to which "no such id" is never the answer. */
function bindSure<N, Req, Res>(handler: (needs: N, request: Req, call: Call) => Promise<Res>, needs: N) {
  return async (request: Req, call: Call): Promise<Res> => {
    try {
      return await handler(needs, request, call);
    } catch (error) {
      throw innerFault(error);
    }
  };
}

/** Every RPC of RuntimeService. A new one in the proto does not compile until it has a line here. */
export function runtimeHandlers(services: Services): ServiceHandlers<RuntimeServiceHandlers> {
  return {
    Version: bind(version, services),
    Status: bind(status, services),
    RuntimeConfig: bind(runtimeConfig, services),
    UpdateRuntimeConfig: bindSure(updateRuntimeConfig, services),

    RunPodSandbox: bindSure(runPodSandbox, services),
    StopPodSandbox: bindSure(stopPodSandbox, services),
    RemovePodSandbox: bindSure(removePodSandbox, services),
    PodSandboxStatus: bind(podSandboxStatus, services),
    ListPodSandbox: bind(listPodSandbox, services),
    StreamPodSandboxes: bind(streamPodSandboxes, services),
    UpdatePodSandboxResources: bind(updatePodSandboxResources, services),

    CreateContainer: bind(createContainer, services),
    StartContainer: bind(startContainer, services),
    StopContainer: bindSure(stopContainer, services),
    RemoveContainer: bindSure(removeContainer, services),
    ListContainers: bind(listContainers, services),
    StreamContainers: bind(streamContainers, services),
    ContainerStatus: bind(containerStatus, services),
    UpdateContainerResources: bind(updateContainerResources, services),
    ReopenContainerLog: bind(reopenContainerLog, services),
    ExecSync: bind(execSync, services),

    Exec: bind(exec, services),
    Attach: bind(attach, services),
    PortForward: bind(portForward, services),

    ContainerStats: bind(containerStats, services),
    ListContainerStats: bindSure(listContainerStats, services),
    StreamContainerStats: bind(streamContainerStats, services),
    PodSandboxStats: bind(podSandboxStats, services),
    ListPodSandboxStats: bindSure(listPodSandboxStats, services),
    StreamPodSandboxStats: bind(streamPodSandboxStats, services),
    ListMetricDescriptors: listMetricDescriptors,
    ListPodSandboxMetrics: bindSure(listPodSandboxMetrics, services),
    StreamPodSandboxMetrics: bind(streamPodSandboxMetrics, services),
    GetContainerEvents: bind(getContainerEvents, services),

    CheckpointContainer: bind(checkpointContainer, services),
    CheckpointPod: unimplemented,
    RestorePod: unimplemented,
  };
}

/** Every RPC of ImageService. */
export function imageHandlers(services: Services): ServiceHandlers<ImageServiceHandlers> {
  return {
    PullImage: bind(pullImage, services),
    ListImages: bind(listImages, services),
    StreamImages: bind(streamImages, services),
    ImageStatus: bind(imageStatus, services),
    RemoveImage: bind(removeImage, services),
    ImageFsInfo: bind(imageFsInfo, services),
  };
}
