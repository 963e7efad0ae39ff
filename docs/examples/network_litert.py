"""A small network of single payments as a LiteRT file: network.tflite, from rows.csv."""

import keras
import numpy as np
import tensorflow as tf

table = np.loadtxt("rows.csv", delimiter=",", skiprows=1)
x, y = table[:, 3:], table[:, 2]
keras.utils.set_random_seed(7)
network = keras.Sequential([
    keras.Input(shape=(x.shape[1],)),
    keras.layers.Normalization(mean=x.mean(axis=0), variance=x.var(axis=0) + 1e-6),
    keras.layers.Dense(16, activation="relu"),
    keras.layers.Dense(1, activation="sigmoid"),
])  # fmt: skip
network.compile(optimizer="adam", loss="binary_crossentropy")
network.fit(x, y, batch_size=256, epochs=2, verbose=0)
with open("network.tflite", "wb") as file:
    file.write(tf.lite.TFLiteConverter.from_keras_model(network).convert())
