// Records or decodes audio in the browser and sends it as a 16-bit mono WAV file, so that the server needs no codecs.
const byId = id => document.getElementById(id);
const rate = 16000;
let wav = null;
let session = null;

function encode(samples) {
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((c, i) => bytes.setUint8(at + i, c.charCodeAt(0)));
  text(0, 'RIFF');
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  text(8, 'WAVEfmt ');
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, rate, true);
  bytes.setUint32(28, 2 * rate, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  text(36, 'data');
  bytes.setUint32(40, 2 * samples.length, true);
  samples.forEach((s, i) => bytes.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(32768 * s))), true));
  return new Blob([bytes], { type: 'audio/wav' });
}

// Whatever the browser can decode becomes mono at 16 kHz.
async function decode(blob) {
  const context = new OfflineAudioContext(1, 1, rate);
  const audio = await context.decodeAudioData(await blob.arrayBuffer());
  const mixed = new OfflineAudioContext(1, audio.length, rate);
  const source = new AudioBufferSourceNode(mixed, { buffer: audio });
  source.connect(mixed.destination);
  source.start();
  return (await mixed.startRendering()).getChannelData(0);
}

async function use(blob, what) {
  try {
    const samples = await decode(blob);
    wav = encode(samples);
    byId('recording').textContent = `${what}: ${(samples.length / rate).toFixed(1)} s`;
    byId('player').src = URL.createObjectURL(wav);
    byId('player').hidden = false;
  } catch {
    wav = null;
    byId('recording').textContent = `${what} cannot be decoded: choose another file.`;
  }
  enable();
}

function enable() {
  byId('identify').disabled = !wav;
  byId('enrol').disabled = byId('verify').disabled = !wav || !byId('name').value.trim();
}

async function record() {
  if (session) {
    session.stop();
    return;
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    const pieces = [];
    session = new MediaRecorder(stream);
    session.ondataavailable = piece => pieces.push(piece.data);
    session.onstop = () => {
      stream.getTracks().forEach(track => track.stop());
      byId('record').textContent = 'Record';
      const type = session.mimeType;
      session = null;
      use(new Blob(pieces, { type }), 'Recording');
    };
    session.start();
    byId('record').textContent = 'Stop';
    byId('recording').textContent = 'Speak for a few seconds, then stop.';
  } catch (problem) {
    session = null;
    byId('recording').textContent = `The microphone cannot be used (${problem.message}): allow it, or choose a file.`;
  }
}

async function ask(method, path, body) {
  const answer = await fetch(path, { method, body });
  const json = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(json?.detail ?? `The server answered ${answer.status}.`);
  return json;
}

function say(text, accepted) {
  byId('answer').textContent = text;
  byId('answer').className = accepted == null ? '' : accepted ? 'yes' : 'no';
}

async function act(work) {
  byId('matches').hidden = true;
  say('…');
  try {
    await work();
  } catch (problem) {
    say(problem.message, false);
  }
  await refresh();
}

const speaker = () => encodeURIComponent(byId('name').value.trim());

const enrol = () => act(async () => {
  const { id, recordings } = await ask('PUT', `speakers/${speaker()}`, wav);
  say(`Enrolled ${id} from ${recordings} recording.`);
});

const verify = () => act(async () => {
  const { id, score, accepted, threshold } = await ask('POST', `speakers/${speaker()}/verify`, wav);
  const decision = accepted == null ? 'no threshold is set' : `${accepted ? 'accepted' : 'rejected'}, threshold ${threshold.toFixed(3)}`;
  say(`Score with ${id} ${score.toFixed(3)}: ${decision}.`, accepted);
});

const identify = () => act(async () => {
  const matches = await ask('POST', 'identify?top=5', wav);
  const rows = matches.map(({ id, score, accepted }) => {
    const row = document.createElement('tr');
    [id, score.toFixed(3), accepted == null ? '' : accepted ? 'accepted' : 'rejected'].forEach(text => row.insertCell().textContent = text);
    return row;
  });
  byId('matches').tBodies[0].replaceChildren(...rows);
  byId('matches').hidden = rows.length === 0;
  say(rows.length ? `Nearest: ${matches[0].id}.` : 'Nobody is enrolled.');
});

async function refresh() {
  const { speakers } = await ask('GET', 'speakers');
  byId('speakers').replaceChildren(...speakers.slice(0, 100).map(id => Object.assign(document.createElement('option'), { value: id })));
  byId('enrolled').textContent = `${speakers.length} enrolled.`;
}

byId('record').onclick = record;
byId('file').onchange = event => event.target.files[0] && use(event.target.files[0], event.target.files[0].name);
byId('name').oninput = enable;
byId('enrol').onclick = enrol;
byId('verify').onclick = verify;
byId('identify').onclick = identify;
refresh();
