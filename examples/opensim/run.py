"""Scales Rajagopal's model to a person of zedo and lets OpenSim compute the joint angles, beside the TRC file.

    pip install opensim
    python examples/opensim/run.py Rajagopal2015.osim zedo_out/poses.trc

Without Python, copy the XML files of this folder, the model and poses.trc into one folder and run there
`opensim-cmd run-tool scale.xml` and `opensim-cmd run-tool ik.xml`, or load them in OpenSim's window.
"""

# pyright: reportAttributeAccessIssue=false

import sys
from pathlib import Path

import opensim

HERE = Path(__file__).parent
FAR_M = 100.0  # the model's pelvis may be 3 m from the origin, which is the camera where there is no calibration


def main(model_file: Path, trc: Path) -> None:
    model = opensim.Model(str(model_file))
    coordinates = model.updCoordinateSet()
    for name in ("pelvis_tx", "pelvis_ty", "pelvis_tz"):
        coordinates.get(name).setRangeMin(-FAR_M)
        coordinates.get(name).setRangeMax(FAR_M)
    generic, scaled = trc.with_name(f"{trc.stem}_generic.osim"), trc.with_name(f"{trc.stem}_scaled.osim")
    model.finalizeConnections()
    model.printToXML(str(generic))

    scale = opensim.ScaleTool(str(HERE / "scale.xml"))
    scale.setPathToSubject("")
    scale.getGenericModelMaker().setModelFileName(str(generic))
    scale.getGenericModelMaker().setMarkerSetFileName(str(HERE / "markers.xml"))
    scale.getModelScaler().setMarkerFileName(str(trc))
    scale.getModelScaler().setOutputModelFileName(str(scaled))
    scale.run()

    tool = opensim.InverseKinematicsTool(str(HERE / "ik.xml"))
    tool.set_model_file(str(scaled))
    tool.setMarkerDataFileName(str(trc))
    tool.setOutputMotionFileName(str(trc.with_name(f"{trc.stem}_ik.mot")))
    tool.setResultsDir(str(trc.parent))
    tool.run()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*(Path(name).resolve() for name in sys.argv[1:]))
