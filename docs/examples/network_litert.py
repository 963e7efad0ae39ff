"""A small network of single payments as a LiteRT file: network.tflite, from rows.csv."""

import keras
import numpy as np
import tensorflow as tf

table = np.loadtxt("rows.csv", delimiter=",", skiprows=1)
x, y = table[:, 3:], table[:, 2]
keras.utils.set_random_seed(7)
scaling = keras.layers.BatchNormalization(trainable=False)  # Normalization is not exported
network = keras.Sequential([
    keras.Input(shape=(x.shape[1],)),
    scaling,
    keras.layers.Activation("tanh"),
    keras.layers.Dense(16, activation="relu"),
    keras.layers.Dense(1, activation="sigmoid"),
])  # fmt: skip
ones, zeros = np.ones(x.shape[1]), np.zeros(x.shape[1])
scaling.set_weights([ones, zeros, x.mean(axis=0), x.var(axis=0) + 1e-6])
network.compile(optimizer="adam", loss="binary_crossentropy")
network.fit(x, y, batch_size=256, epochs=2, verbose=0)
with open("network.tflite", "wb") as file:
    file.write(tf.lite.TFLiteConverter.from_keras_model(network).convert())
