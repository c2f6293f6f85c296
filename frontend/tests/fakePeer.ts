import { vi } from 'vitest'

/** The browser's WebRTC, which jsdom lacks: the test plays the network. */
export class FakePeer {
  static all: FakePeer[] = []
  /** What making an offer waits for. */
  static offering: Promise<void> = Promise.resolve()
  static get last(): FakePeer {
    const peer = FakePeer.all.at(-1)
    if (!peer) throw new Error('no peer was made')
    return peer
  }

  configuration: RTCConfiguration
  iceConnectionState = 'new'
  connectionState = 'new'
  iceGatheringState = 'complete'
  localDescription: { sdp: string } | null = null
  remote: string | null = null
  candidates: unknown[] = []
  transceivers: { kind: string; direction?: string; codecs?: { mimeType: string }[] }[] = []
  isClosed = false
  /** Whoever looks at the counters sees that pictures have come since the last look. */
  isPlaying = false
  framesDecoded = 0
  packetsReceived = 0
  soundPackets = 0
  onicecandidate: ((event: { candidate: unknown }) => void) | null = null
  ontrack: ((event: { track: unknown }) => void) | null = null
  oniceconnectionstatechange: (() => void) | null = null
  onconnectionstatechange: (() => void) | null = null

  constructor(configuration: RTCConfiguration) {
    this.configuration = configuration
    FakePeer.all.push(this)
  }

  addTransceiver(kind: string, init: { direction: string }) {
    const transceiver: FakePeer['transceivers'][number] = { kind, direction: init.direction }
    this.transceivers.push(transceiver)
    return { setCodecPreferences: (codecs: { mimeType: string }[]) => (transceiver.codecs = codecs) }
  }
  async createOffer() {
    await FakePeer.offering
    return { type: 'offer', sdp: 'v=0 offer' }
  }
  async setLocalDescription(description: { sdp: string }) {
    this.localDescription = description
  }
  async setRemoteDescription(description: { sdp: string }) {
    if (description.sdp === 'broken') throw new Error('cannot parse the answer')
    this.remote = description.sdp
  }
  async addIceCandidate(candidate: unknown) {
    this.candidates.push(candidate)
  }
  async getStats() {
    if (this.isPlaying) {
      this.framesDecoded += 12
      this.packetsReceived += 40
    }
    const { framesDecoded, packetsReceived } = this
    const video = { type: 'inbound-rtp', kind: 'video', framesDecoded, packetsReceived }
    return new Map<string, object>([
      ['video', video],
      ['audio', { type: 'inbound-rtp', kind: 'audio', packetsReceived: this.soundPackets }],
      ['other', { type: 'transport' }],
    ])
  }
  close() {
    this.isClosed = true
  }

  /** The network lets it through: ICE, then DTLS. */
  connect() {
    this.setStates('connected', 'connecting')
    this.setStates('connected', 'connected')
  }
  setStates(ice: string, connection: string) {
    this.iceConnectionState = ice
    this.connectionState = connection
    this.oniceconnectionstatechange?.()
    this.onconnectionstatechange?.()
  }
}

/** Put the fake in place of the browser's classes. `codecs`: what the browser can decode. */
export function installFakePeer(codecs = ['video/VP8', 'video/H264', 'video/rtx']): void {
  FakePeer.all = []
  FakePeer.offering = Promise.resolve()
  vi.stubGlobal('RTCPeerConnection', FakePeer)
  vi.stubGlobal('MediaStream', class { addTrack() {} })
  const capabilities = { codecs: codecs.map((mimeType) => ({ mimeType })) }
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => capabilities })
}
