/** Start. */

setUpTheme();
setUpPlayers();
if (N_CELLS && D.metrics.length) {
  setUpControls();
  setUpHistograms();
  setUpHeatMap();
  setUpCurves();
  figure("heat-map", ["metric", "rule", "subject", "words", "family"], drawHeatMap);
  figure("curves", ["metric", "rule", "subject", "words", "family", "shown"], drawCurves);
  setUpBreakPoints();
  figure("scores", ["cell", "rule", "metric", "shown"], drawHistograms);
  setUpQuality();
  setUpCells();
} else {
  for (const id of ["controls", "heat-map", "curves", "break-points", "scores", "quality", "cells"]) byId(id).remove();
}
if (byId("examples-csv")) offerCsv(byId("examples-csv"), () => D.examples);
