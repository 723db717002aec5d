"""Names and checksums of published IDX files, and the mirrors that carry them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class IdxFile:
    """One published IDX file.

    Args:
        name: without `.gz`.
        content_md5: md5 of the uncompressed content; "" if no trusted one is known.
        archive_md5: md5 of the `.gz` that torchvision downloads (a test compares with
            torchvision's).
    """

    name: str
    content_md5: str
    archive_md5: str


@dataclass(frozen=True)
class Source:
    """One data set as its authors published it.

    Args:
        name: the value of `data`.
        folder: torchvision's class and folder: the files are in `<root>/<folder>/raw`.
        files: train images, train labels, test images, test labels.
        mirrors: torchvision's mirrors, copied so that they can be tried before the slow import of
            torchvision (a test compares them with torchvision's).
        system: a folder where a system package puts the files; searched after the root.
        hint: another way to get the files, for the error if they are missing.
    """

    name: str
    folder: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    mirrors: tuple[str, ...]
    system: str = ""
    hint: str = ""


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

MNIST = Source(
    name="mnist",
    folder="MNIST",
    files=(
        IdxFile(
            TRAIN_IMAGES, "6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"
        ),
        IdxFile(
            TRAIN_LABELS, "a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"
        ),
        IdxFile(
            TEST_IMAGES, "2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"
        ),
        IdxFile(
            TEST_LABELS, "27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
)

# Content checksums: of Debian's package dataset-fashion-mnist (0.0~git20200523, 6,000 / 1,000
# images a class), which compresses the same content anew; a second public listing agrees.
FASHION_MNIST = Source(
    name="fashion_mnist",
    folder="FashionMNIST",
    files=(
        IdxFile(
            TRAIN_IMAGES, "f4a8712d7a061bf5bd6d2ca38dc4d50a", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"
        ),
        IdxFile(
            TRAIN_LABELS, "9018921c3c673c538a1fc5bad174d6f9", "25c81989df183df01b3e8a0aad5dffbe"
        ),
        IdxFile(
            TEST_IMAGES, "8181f5470baa50b63fa0f6fddb340f0a", "bef4ecab320f06d8554ea6380940ec79"
        ),
        IdxFile(
            TEST_LABELS, "15d484375f8d13e6eb1aabb0c3f46965", "bb300cfdad3c16e7a12a480ee83cd310"
        ),
    ),
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    system="/usr/share/datasets/fashion-mnist",
    hint="apt-get install dataset-fashion-mnist, where there is apt",
)

# No trusted checksum of the train images' content was found, so the archives vouch for all four.
KMNIST = Source(
    name="kmnist",
    folder="KMNIST",
    files=(
        IdxFile(TRAIN_IMAGES, "", "bdb82020997e1d708af4cf47b453dcf7"),
        IdxFile(TRAIN_LABELS, "", "e144d726b3acfaa3e44228e80efcd344"),
        IdxFile(TEST_IMAGES, "", "5c965bf0a639b31b8f53240b1b52f4d7"),
        IdxFile(TEST_LABELS, "", "7320c461ea6c1c855c0b718fb2a4b134"),
    ),
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
)

SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST, KMNIST)}
