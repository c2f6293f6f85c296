// A measuring viewer inside Chromium: joins by WHEP, notes every picture and every sample.
// Evaluated once; `window.measuringViewer` is what benchmarks/browser.py talks to.
(() => {
  const recorder = `
    class Recorder extends AudioWorkletProcessor {
      process(inputs) {
        const input = inputs[0][0];
        // Date.now is all the clock a worklet has: whole milliseconds.
        if (input) this.port.postMessage([currentFrame, Date.now(), input.slice()]);
        return true;
      }
    }
    registerProcessor("recorder", Recorder);`;

  const unixMs = () => performance.timeOrigin + performance.now();

  class MeasuringViewer {
    pictures = [];
    frames = [];
    times = [];
    chunks = [];

    async join(url) {
      this.peer = new RTCPeerConnection();
      this.stream = new MediaStream();
      this.peer.addTransceiver("video", { direction: "recvonly" });
      this.peer.addTransceiver("audio", { direction: "recvonly" });
      this.peer.ontrack = (event) => this.stream.addTrack(event.track);
      await this.peer.setLocalDescription(await this.peer.createOffer());
      await this.gathered();
      const answer = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/sdp" },
        body: this.peer.localDescription.sdp,
      });
      if (answer.status !== 201) throw new Error(`WHEP: ${answer.status} ${await answer.text()}`);
      this.location = answer.headers.get("Location");
      await this.peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
      this.video = document.createElement("video");
      this.video.muted = true;
      this.video.srcObject = this.stream;
      document.body.append(this.video);
      await this.video.play();
    }

    gathered() {
      return new Promise((resolve) => {
        const check = () => this.peer.iceGatheringState === "complete" && resolve();
        this.peer.onicegatheringstatechange = check;
        check();
      });
    }

    // boxes: [[x0, y0, x1, y1], ...] in pixels of a width x height copy of the picture.
    watchPictures(width, height, boxes) {
      const canvas = document.createElement("canvas");
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      const look = (now, metadata) => {
        this.video.requestVideoFrameCallback(look);
        const seenAt = unixMs();
        context.drawImage(this.video, 0, 0, width, height);
        const pixels = context.getImageData(0, 0, width, height).data;
        const levels = boxes.map((box) => mean(pixels, width, box));
        const shownAt = performance.timeOrigin + metadata.expectedDisplayTime;
        this.pictures.push([seenAt, shownAt, metadata.presentedFrames, ...levels]);
      };
      this.video.requestVideoFrameCallback(look);
    }

    async recordSound() {
      this.context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
      const module = URL.createObjectURL(new Blob([recorder], { type: "text/javascript" }));
      await this.context.audioWorklet.addModule(module);
      const source = this.context.createMediaStreamSource(this.stream);
      const node = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
      node.port.onmessage = ({ data: [frame, at, samples] }) => {
        this.frames.push(frame);
        this.times.push(at);
        this.chunks.push(samples);
      };
      source.connect(node);
      await this.context.resume();
    }

    // How loud the last tenth of a second was, 0..1.
    loudness() {
      const last = this.chunks.slice(-38);
      let peak = 0;
      for (const chunk of last) for (const value of chunk) peak = Math.max(peak, Math.abs(value));
      return peak;
    }

    takePictures() {
      const taken = this.pictures;
      this.pictures = [];
      return taken;
    }

    // {frames, times, sound}: first frame and time of each block of 128, int16 samples as base64.
    takeSound() {
      const samples = new Int16Array(this.chunks.length * 128);
      this.chunks.forEach((chunk, index) => {
        for (let i = 0; i < chunk.length; i++) {
          samples[index * 128 + i] = Math.max(-1, Math.min(1, chunk[i])) * 32767;
        }
      });
      const bytes = new Uint8Array(samples.buffer);
      let text = "";
      for (let i = 0; i < bytes.length; i += 0x8000) {
        text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
      }
      const taken = { frames: this.frames, times: this.times, sound: btoa(text) };
      this.frames = [];
      this.times = [];
      this.chunks = [];
      return taken;
    }

    async stats() {
      const found = {};
      for (const report of (await this.peer.getStats()).values()) {
        if (report.type === "inbound-rtp") found[report.kind] = report;
      }
      return JSON.parse(JSON.stringify(found));
    }

    // Date.now minus our clock, in ms: both are of this machine, but need not agree.
    clockError() {
      const until = performance.now() + 100;
      let sum = 0;
      let count = 0;
      while (performance.now() < until) {
        sum += Date.now() + 0.5 - unixMs();
        count++;
      }
      return sum / count;
    }

    async leave() {
      await fetch(this.location, { method: "DELETE" });
      this.peer.close();
      if (this.context) await this.context.close();
    }
  }

  function mean(pixels, width, [x0, y0, x1, y1]) {
    let sum = 0;
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) {
        const at = 4 * (y * width + x);
        sum += 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
      }
    }
    return sum / ((x1 - x0) * (y1 - y0));
  }

  window.measuringViewer = new MeasuringViewer();
})();
