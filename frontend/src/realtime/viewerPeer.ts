/** One receiving WebRTC connection, and which of its steps failed when it does not come up. */

export type FailedStep = 'signalling' | 'ice' | 'dtls' | 'decode'

export interface ViewerPeerHandlers {
  onCandidate: (candidate: RTCIceCandidate) => void
  onStream: (stream: MediaStream) => void
  onFailed: (step: FailedStep, detail: string) => void
}

export interface InboundCounts {
  framesDecoded: number
  packetsReceived: number
  soundPacketsReceived: number
}

const ICE_DEADLINE_MS = 10_000
const DTLS_DEADLINE_MS = 8_000
/** ICE recovers from short gaps by itself; only a longer one is a failure. */
const DISCONNECTED_GRACE_MS = 6_000

/** H.264 first and only it (with its repair formats): the server sends nothing else. */
function preferH264(transceiver: RTCRtpTransceiver): boolean {
  const codecs = RTCRtpReceiver.getCapabilities?.('video')?.codecs ?? []
  const wanted = codecs.filter((codec) => /video\/(h264|rtx|red|ulpfec)$/i.test(codec.mimeType))
  if (codecs.length === 0) return true
  if (!wanted.some((codec) => /h264$/i.test(codec.mimeType))) return false
  transceiver.setCodecPreferences?.(wanted)
  return true
}

export class ViewerPeer {
  private readonly peer: RTCPeerConnection
  private readonly handlers: ViewerPeerHandlers
  private readonly stream = new MediaStream()
  private timer: number | undefined
  private isClosed = false

  constructor(iceServers: RTCIceServer[], handlers: ViewerPeerHandlers) {
    this.handlers = handlers
    this.peer = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' })
    this.peer.onicecandidate = ({ candidate }) => candidate && handlers.onCandidate(candidate)
    this.peer.ontrack = ({ track }) => this.onTrack(track)
    this.peer.oniceconnectionstatechange = () => this.onProgress()
    this.peer.onconnectionstatechange = () => this.onProgress()
  }

  get isConnected(): boolean {
    return this.peer.connectionState === 'connected'
  }

  /** The SDP offer. `completeCandidates`: wait up to a second until all candidates are in it. */
  async createOffer(completeCandidates = false): Promise<string> {
    this.peer.addTransceiver('audio', { direction: 'recvonly' })
    const video = this.peer.addTransceiver('video', { direction: 'recvonly' })
    if (!preferH264(video)) throw new DecodeUnsupportedError()
    await this.peer.setLocalDescription(await this.peer.createOffer())
    if (completeCandidates) await this.gather()
    return this.peer.localDescription?.sdp ?? ''
  }

  async acceptAnswer(sdp: string): Promise<void> {
    await this.peer.setRemoteDescription({ type: 'answer', sdp })
    this.expect('ice', ICE_DEADLINE_MS)
  }

  async addCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    if (!this.isClosed) await this.peer.addIceCandidate(candidate)
  }

  async inboundCounts(): Promise<InboundCounts> {
    const counts = { framesDecoded: 0, packetsReceived: 0, soundPacketsReceived: 0 }
    if (this.isClosed) return counts
    for (const report of (await this.peer.getStats()).values()) {
      if (report.type !== 'inbound-rtp') continue
      const packets = Number(report.packetsReceived ?? 0)
      if (report.kind === 'audio') counts.soundPacketsReceived += packets
      else counts.packetsReceived += packets
      counts.framesDecoded += Number(report.framesDecoded ?? 0)
    }
    return counts
  }

  close(): void {
    this.isClosed = true
    window.clearTimeout(this.timer)
    this.peer.close()
  }

  private onTrack(track: MediaStreamTrack): void {
    this.stream.addTrack(track)
    this.handlers.onStream(this.stream)
  }

  private onProgress(): void {
    if (this.isClosed) return
    const { iceConnectionState: ice, connectionState } = this.peer
    if (connectionState === 'connected') window.clearTimeout(this.timer)
    else if (ice === 'failed') this.fail('ice', 'ICE failed')
    else if (connectionState === 'failed') this.fail('dtls', 'DTLS failed')
    else if (ice === 'disconnected') this.expect('ice', DISCONNECTED_GRACE_MS)
    else if (ice === 'connected' || ice === 'completed') this.expect('dtls', DTLS_DEADLINE_MS)
  }

  private expect(step: FailedStep, deadlineMs: number): void {
    window.clearTimeout(this.timer)
    const detail = `${step.toUpperCase()}: ${deadlineMs / 1000} s`
    this.timer = window.setTimeout(() => this.fail(step, detail), deadlineMs)
  }

  private fail(step: FailedStep, detail: string): void {
    if (this.isClosed || this.peer.connectionState === 'connected') return
    this.handlers.onFailed(step, detail)
  }

  private gather(): Promise<void> {
    if (this.peer.iceGatheringState === 'complete') return Promise.resolve()
    return new Promise((resolve) => {
      const timer = window.setTimeout(resolve, 1_000)
      this.peer.onicegatheringstatechange = () => {
        if (this.peer.iceGatheringState !== 'complete') return
        window.clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** This browser cannot decode H.264. */
export class DecodeUnsupportedError extends Error {
  constructor() {
    super('This browser cannot decode H.264.')
    this.name = 'DecodeUnsupportedError'
  }
}
