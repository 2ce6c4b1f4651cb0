/** Players: a click on a spectrogram plays from there, one sound at a time. */

function setUpPlayers() {
  const players = [...document.querySelectorAll("audio")];
  for (const audio of players) {
    const picture = audio.parentElement.querySelector(".spectrogram");
    const head = picture.querySelector(".playhead");
    const follow = () => {
      head.style.left = `${audio.duration ? (100 * audio.currentTime) / audio.duration : 0}%`;
      if (!audio.paused) requestAnimationFrame(follow);
    };
    audio.addEventListener("play", () => {
      for (const other of players) if (other !== audio) other.pause();
      head.style.opacity = "0.9";
      follow();
    });
    audio.addEventListener("pause", () => {
      head.style.opacity = "0";
    });
    picture.addEventListener("click", async (event) => {
      const box = picture.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      if (audio.readyState === 0) {
        audio.load();
        await new Promise((resolve) => audio.addEventListener("loadedmetadata", resolve, { once: true }));
      }
      audio.currentTime = share * audio.duration;
      await audio.play();
    });
  }
}
